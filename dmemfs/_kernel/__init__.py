"""The kernel's face: other programs see a file system in memory, by the FUSE protocol."""
