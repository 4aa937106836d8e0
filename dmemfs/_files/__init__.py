"""File objects, modes, advisory locks."""
