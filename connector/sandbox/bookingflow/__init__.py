"""A local imitation of BookingFlow: its documented rules, with configurable faults."""
