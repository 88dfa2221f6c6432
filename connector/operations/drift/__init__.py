"""Comparing our links with both sides, and repairing what differs."""
