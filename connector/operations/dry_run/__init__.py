"""A backfill that changes nothing and counts what the real one would do."""
