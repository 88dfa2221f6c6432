"""A local imitation of Bookeo: its documented rules, with configurable faults."""

from connector.sandbox.kit.listing import Listing

LISTING = Listing("connector.sandbox.bookeo.app:BookeoSandbox", api="/v2", keys=("api_key", "secret_key"))
