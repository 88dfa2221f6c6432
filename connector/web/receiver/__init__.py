"""The webhook endpoint: verify, read, store, answer 202."""
