"""All CRMs side by side: the same person, the same faults, the same questions, one table."""
