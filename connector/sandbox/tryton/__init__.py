"""A local imitation of Tryton: the rules measured on a real server, with configurable faults."""

from connector.sandbox.kit.listing import Listing

LISTING = Listing("connector.sandbox.tryton.app:TrytonSandbox", api="", keys=("api_key",))
