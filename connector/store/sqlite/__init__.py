"""What is SQLite's own: the connection, the lock file, the schema."""
