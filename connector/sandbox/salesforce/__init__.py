"""A local imitation of Salesforce: its documented rules, with configurable faults."""

from connector.sandbox.kit.listing import Listing

LISTING = Listing("connector.sandbox.salesforce.app:SalesforceSandbox", api="", keys=("client_id", "client_secret"))
