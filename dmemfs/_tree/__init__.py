"""One tree under one lock: all that `os` and `shutil` do."""
