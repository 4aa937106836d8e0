"""What whole trees are written as: packs, archives, directories of the disk."""
