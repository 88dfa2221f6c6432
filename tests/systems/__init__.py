"""All booking systems side by side: the same people, the same faults, one table."""
