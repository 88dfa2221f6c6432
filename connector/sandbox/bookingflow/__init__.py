"""A local imitation of BookingFlow: its documented rules, with configurable faults."""

from connector.sandbox.kit.listing import Listing

LISTING = Listing("connector.sandbox.bookingflow.app:BookingFlowSandbox", api="/api/v1", keys=("api_key",))
