"""A local imitation of HubSpot: its documented rules, with configurable faults."""

from connector.sandbox.kit.listing import Listing

LISTING = Listing("connector.sandbox.hubspot.app:HubSpotSandbox", api="", keys=("token",))
