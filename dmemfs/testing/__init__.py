"""Conformance checks for file systems, of this project and of others; they need no framework."""

from ._report import ConformanceError, Misbehaviour
from ._suite import CHECKS, check_filesystem, check_read_only_filesystem

__all__ = [
    "CHECKS",
    "ConformanceError",
    "Misbehaviour",
    "check_filesystem",
    "check_read_only_filesystem",
]
