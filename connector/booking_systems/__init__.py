"""Booking systems: one folder each, all behind the contract in `base`."""
