"""Django's databases in memory: entries of its settings, and a backend of its own."""
