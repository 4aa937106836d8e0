"""Which numbers the system gives to descriptors."""

from __future__ import annotations

import os


def lowest_free_descriptor() -> int:
    """Return the number that the next descriptor gets, whatever else is open in this process."""
    number = os.dup(0)
    os.close(number)
    return number
