"""Each account leaves by the route that the configuration gives it, through connections of its own."""

import configuring
import pytest

from connector.config.settings import load
from connector.registry import Registry
from connector.remote.wrapped import OnDemand
from connector.worker.accounts import connect

TOML = """
[outbound]
proxy = "http://proxy.example.com:3128"

[booking.stores]
system = "booxi"
region = "na"
partner_key = "0123456789abcdef"
module_id = "hubspot"
webhook = { verify = "token", tokens = ["0123456789abcdef"] }

[crm.main]
system = "hubspot"
token = "0123456789abcdef"
outbound = { proxy = "none" }
"""


@pytest.mark.anyio
async def test_each_account_has_its_route_and_its_own_connections(tmp_path):
    (tmp_path / "connector.toml").write_text(TOML + configuring.SYNC)
    config = load(tmp_path / "connector.toml", systems=Registry(), environ={})
    found = await connect(config, None)
    try:
        stores, main = (found.remotes()[account]._transport for account in ("booking.stores", "crm.main"))
        assert isinstance(stores, OnDemand)
        assert isinstance(main, OnDemand)
        assert stores is not main
        assert (stores._route, main._route) == (config.routes["booking.stores"], config.routes["crm.main"])
        assert stores._route.https is not None
        assert main._route.https is None
    finally:
        await found.close()


@pytest.mark.anyio
@pytest.mark.parametrize("recorded", ["false", "true"])
async def test_a_crm_knows_whether_some_sync_records_appointments_there(tmp_path, recorded):
    (tmp_path / "connector.toml").write_text(f"{TOML}{configuring.SYNC}\nrecord_appointments = {recorded}\n")
    found = await connect(load(tmp_path / "connector.toml", systems=Registry(), environ={}), None)
    try:
        assert found.crms["main"].records is (recorded == "true")
    finally:
        await found.close()
