"""Write one large file in this new process, which has no freed memory of its own to reuse.

Run as `python -m benchmarks._cold PEER BYTES CHUNK`; prints the seconds.
"""

from __future__ import annotations

import sys

from benchmarks._content import write_stream
from benchmarks._peers import PEERS


def main(peer_name: str, length: str, chunk: str) -> None:
    """Print the seconds that writing a file of `length` bytes takes."""
    peer = PEERS[peer_name]()
    try:
        print(next(write_stream(peer, int(length), int(chunk))))
    finally:
        peer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
