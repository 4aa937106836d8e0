"""Start the command line."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # from a checkout, nothing else says so
    sys.exit("Python 3.11 or later is needed, and this is {}.{}".format(*sys.version_info))

from ._cli import main

sys.exit(main())
