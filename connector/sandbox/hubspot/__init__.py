"""A local imitation of HubSpot: its documented rules, with configurable faults."""
