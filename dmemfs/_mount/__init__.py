"""This process sees a file system below a path."""
