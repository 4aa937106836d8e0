"""The version of the distribution, which is read from here when it is built."""

__version__ = "0.1.0"
