"""A local imitation of Booxi: its documented rules, with configurable faults."""
