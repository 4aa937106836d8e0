"""What nodes were, as far as a snapshot needs it."""
