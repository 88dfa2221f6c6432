"""A local imitation of Pipedrive: its documented rules, with configurable faults."""

from connector.sandbox.kit.listing import Listing

LISTING = Listing("connector.sandbox.pipedrive.app:PipedriveSandbox", api="", keys=("token",))
