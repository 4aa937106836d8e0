"""What is asked before an operation: faults, read-only real directories."""
