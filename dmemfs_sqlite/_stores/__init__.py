"""Files in any file system: a MemoryFileSystem, the disk, those of fsspec."""
