"""Bookablesites: bookings of small businesses; it has no place of its own for a customer id. Facts and gaps: README.md."""
