"""A look-up that failed is not "not found": whatever goes wrong while we look, nobody is created."""

import httpx
import pytest

from connector.model.capabilities import CrmCapability
from connector.model.errors import ConnectorError
from connector.sandbox.kit.faults import Faults

from .harness import World

pytestmark = pytest.mark.anyio

#: (gate, method, path) of each question that comes before a create.
LOOK_UPS = {
    "stored link": ("booxi_gate", "GET", "/moduleLink/hubspot$"),
    "our key": ("hubspot_gate", "GET", "/contacts/[0-9a-f]{64}$"),
    "e-mail": ("hubspot_gate", "GET", "/contacts/ada"),
    "phone": ("hubspot_gate", "POST", "/contacts/search$"),
}
MISHAPS = {
    "500": Faults(error_500=1),
    "503": Faults(error_503=1),
    "time-out": Faults(timeout=1, timeout_seconds=0),
    "cut": Faults(lost_answer=1),
    "429": Faults(rate_limit=1, retry_after=0.02),
    "HTML 403": Faults(html=1, html_status=403),
    "HTML 200": Faults(html=1, html_status=200),
    "half a JSON": httpx.Response(200, content=b'{"results": [', headers={"content-type": "application/json"}),
    "no connection": httpx.ConnectError("refused"),
    "something else": httpx.Response(200, json=["something", "else"]),
}


@pytest.mark.parametrize("mishap", MISHAPS.values(), ids=MISHAPS)
@pytest.mark.parametrize("look_up", LOOK_UPS.values(), ids=LOOK_UPS)
async def test_no_look_up_that_fails_leads_to_a_create(world: World, look_up, mishap):
    world.crm.capabilities = frozenset({CrmCapability.FOLLOWS_MERGES})  # asks for our key each time
    gate, method, path = look_up
    getattr(world, gate).on(method, path, mishap, times=9)
    ada = world.client()
    ended = await world.process(ada)
    assert isinstance(ended.error, ConnectorError)
    assert ended.state in ("queued", "retrying")
    assert world.effects == {}
    assert await world.links() == {}

    (ended,) = await world.again()
    assert ended.work.outcome == "created"
    assert len(world.contacts()) == 1
    assert world.stored(ada) == (await world.link(ada))[0]


@pytest.mark.parametrize("look_up", list(LOOK_UPS.values())[1:], ids=list(LOOK_UPS)[1:])
async def test_a_404_in_somebody_elses_words_is_not_an_answer_of_the_crm(world: World, look_up):
    world.crm.capabilities = frozenset({CrmCapability.FOLLOWS_MERGES})  # asks for our key each time
    gate, method, path = look_up
    getattr(world, gate).on(method, path, httpx.Response(404, content=b"<html>Not found</html>"), times=9)
    ended = await world.process(world.client())
    assert ended.state in ("retrying", "held")
    assert world.effects == {}


async def test_a_result_that_was_cut_short_is_no_answer(world: World):
    page = {"total": 900, "results": []}
    world.hubspot_gate.on("POST", "/contacts/search$", httpx.Response(200, json=page))
    ended = await world.process(world.client())
    assert ended.state == "retrying"
    assert "cut short" in str(ended.error)
    assert world.contacts() == {}


@pytest.mark.parametrize("rule", ["our_link", "delivery", "booking_system"])
async def test_an_adopted_id_that_cannot_be_looked_up_is_neither_gone_nor_taken(world: World, rule):
    contact = world.contact(email="ada@example.com")
    ada = world.client()
    if rule == "our_link":
        await world.process(ada)
    world.booxi.links_in_webhooks = rule == "delivery"
    world.booxi.set_link(int(ada), contact)
    links = await world.links()
    world.hubspot_gate.on("GET", f"/contacts/{contact}$", Faults(error_500=1), times=9)
    ended = await world.process(ada)
    assert ended.state == "retrying"
    assert await world.links() == links
    (ended,) = await world.again()
    assert ended.rules[0] == (rule, "match")


async def test_the_client_record_that_cannot_be_read_is_not_a_client_without_identity(world: World):
    world.booxi_gate.on("GET", r"/client/\d+$", Faults(error_500=1))
    ada = world.client()
    world.booxi.book(int(ada))
    world.booxi.outbox.waiting[0]["content"]["booking"]["client"] = {"id": int(ada)}
    await world.deliver_all()
    (ended,) = await world.run_all()
    assert ended.state == "retrying"
    (ended,) = await world.again()
    assert ended.work.outcome == "created"


async def test_while_the_crm_is_down_nothing_is_created_and_everything_is_afterwards(world: World):
    clients = [world.client(firstName=f"Zoe{n}", email=f"zoe{n}@example.com") for n in range(5)]
    world.hubspot.faults = Faults(down=True)
    for client in clients:
        await world.book(client)
    assert {ended.state for ended in await world.run_all()} == {"queued"}
    assert world.effects == {}
    assert {ended.work.outcome for ended in await world.again()} == {"created"}
    assert len(world.contacts()) == len(world.booxi.links()) == 5
