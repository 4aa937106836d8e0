"""Files, directories and links; their bytes; where they are counted."""
