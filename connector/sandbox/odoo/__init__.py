"""A local imitation of Odoo: its measured rules, with configurable faults."""

from connector.sandbox.kit.listing import Listing

LISTING = Listing("connector.sandbox.odoo.app:OdooSandbox", api="", keys=("api_key",))
