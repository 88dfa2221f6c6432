"""The durable core."""
