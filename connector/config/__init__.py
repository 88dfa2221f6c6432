"""The configuration file, its addresses, and logging."""
