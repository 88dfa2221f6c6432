"""A local imitation of Bookeo: its documented rules, with configurable faults."""
