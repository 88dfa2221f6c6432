"""A local imitation of Bookablesites: its documented rules, with configurable faults."""

from connector.sandbox.kit.listing import Listing

LISTING = Listing(
    "connector.sandbox.bookablesites.app:BookablesitesSandbox", api="/api/v2", keys=("client_id", "client_secret")
)
