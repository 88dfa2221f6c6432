"""A local imitation of Dynamics 365 (Dataverse Web API): its documented rules, with configurable faults."""

from connector.sandbox.kit.listing import Listing

LISTING = Listing("connector.sandbox.dynamics.app:DynamicsSandbox", api="", keys=("tenant_id", "client_id", "client_secret"))
