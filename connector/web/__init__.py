"""Everything that speaks HTTP to the outside: the receiver, the status page and the metrics."""
