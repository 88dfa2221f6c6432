"""A local imitation of Bookablesites: its documented rules, with configurable faults."""
