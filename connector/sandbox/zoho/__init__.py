"""A local imitation of Zoho CRM: its documented rules, with configurable faults."""

from connector.sandbox.kit.listing import Listing

LISTING = Listing("connector.sandbox.zoho.app:ZohoSandbox", api="", keys=("client_id", "client_secret", "refresh_token"))
