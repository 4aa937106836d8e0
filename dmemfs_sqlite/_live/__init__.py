"""Databases that live in a file system."""
