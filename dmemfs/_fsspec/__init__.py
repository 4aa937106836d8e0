"""What the face for fsspec is made of: its files, and how it gets into other processes."""
