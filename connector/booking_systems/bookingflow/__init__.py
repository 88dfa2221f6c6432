"""BookingFlow: bookings of rooms and games; its keyed API and webhooks are announced, not proven. Facts and gaps: README.md."""
