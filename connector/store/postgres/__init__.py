"""What is PostgreSQL's own: the sessions, the wrapper of their connections, the schema."""
