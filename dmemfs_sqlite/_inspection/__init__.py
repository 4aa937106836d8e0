"""What is different in a database, and since when."""
