"""A local imitation of Booxi: its documented rules, with configurable faults."""

from connector.sandbox.kit.listing import Listing

LISTING = Listing("connector.sandbox.booxi.app:BooxiSandbox", api="/booking/v1", keys=("partner_key",))
