"""The checks of conformance, a module for each area of behaviour."""
