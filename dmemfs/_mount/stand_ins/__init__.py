"""What stands in for the functions of `os`, `io` and others, a module for each kind."""
