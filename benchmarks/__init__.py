"""Measure dmemfs beside tmpfs and the other in-memory file systems of Python."""
