"""What was learnt by a link that a person corrects or takes back leads nobody else to the wrong customer."""

import httpx
import pytest

from connector.sandbox.kit.faults import Faults
from connector.store import views
from connector.store.reviews import views as review_views

from .harness import ADA, PHONE, World
from .test_decisions import BY_PHONE, GRACE, ask_both, decide, run

pytestmark = pytest.mark.anyio
BY_EMAIL = {name: value for name, value in ADA.items() if name != "mobilePhoneNumber"}
TWIN = {"firstname": "Ada", "lastname": "Byron", "mobilephone": PHONE}
GMAIL = "ada.byron@gmail.com"


async def correct(world: World, client: str, customer: str) -> None:
    """A person says that a linked client is somebody else, as after a comparison."""
    world.clock.now += 60
    review = await world.store.reviews.open("stores", client, "main", "drift", [], world.clock(), standing=True)
    await decide(world, review, "link", customer)
    await run(world)


async def reasons(world: World) -> list[str]:
    return [item["reason"] for item in await world.store.read(review_views.reviews)]


async def test_what_a_client_said_goes_along_when_its_link_is_corrected(world: World):
    wrong = world.contact(firstname="Ada", lastname="Byron", phone="+15145550999")
    right = world.contact(firstname="Ada", lastname="Byron", email="older@example.com")
    first = world.client()
    world.booxi.set_link(int(first), wrong)
    await ask_both(world, first)
    world.hubspot.records.update_contact(wrong, {"email": "", "mobilephone": ""})
    await correct(world, first, right)
    by_email, by_phone = world.client(**BY_EMAIL), world.client(**BY_PHONE)
    await ask_both(world, by_email, by_phone)
    assert await world.link(by_email) is None
    assert await reasons(world) == ["a customer we knew by this e-mail has another one now"]
    assert await world.link(by_phone) == (right, "phone")


async def test_a_decision_taken_back_before_it_was_written_is_asked_again(world: World):
    wrong, _, ada = world.contact(**TWIN), world.contact(**TWIN), world.client()
    await ask_both(world, ada)
    world.booxi_gate.on("GET", "moduleLink", httpx.ConnectError("down"), times=9)
    await decide(world, 1, "link", wrong)
    await run(world)
    _, (said,) = await world.store.reviews.undo(1, "me", world.clock())
    assert f"the link to {wrong} is gone" in said
    world.fix()
    await run(world, 60)
    await ask_both(world, ada)
    assert await world.link(ada) is None
    assert await reasons(world) == ["2 customers have this phone number and name"]
    assert await world.rows("SELECT DISTINCT state, reason FROM events") == [("held", *await reasons(world))]


async def test_a_decision_that_was_corrected_answers_for_nobody(world: World):
    wrong, right = world.contact(**TWIN), world.contact(**TWIN)
    one, other = world.client(**BY_PHONE), world.client(**BY_PHONE)
    await ask_both(world, one)
    await decide(world, 1, "link", wrong)
    await run(world)
    await correct(world, one, right)
    await ask_both(world, other)
    assert await world.link(other) is None
    assert await reasons(world) == ["2 customers have this phone number and name"]


async def test_to_create_in_one_crm_is_no_decision_for_another(world: World):
    world.contact(**GRACE)
    ada = world.client()
    await ask_both(world, ada)
    await decide(world, 1, "create")
    await run(world)
    world.hubspot.archive((await world.link(ada))[0])
    for table in ("links", "reviews", "identities"):
        await world.store.database.write(lambda c, table=table: c.execute(f"UPDATE {table} SET crm = 'older'"))
    there = world.contact(firstname="Ada", lastname="Byron", email="ada@example.com")
    await ask_both(world, ada)
    assert await world.link(ada) == (there, "email")


async def test_several_who_came_after_a_decision_to_create_are_asked_about(world: World):
    world.contact(**GRACE)
    ada = world.client(**BY_PHONE)
    await ask_both(world, ada)
    world.contact(**TWIN)
    world.contact(**TWIN)
    await decide(world, 1, "create")
    await run(world)
    assert len(world.contacts()) == 3
    assert await reasons(world) == ["2 customers with this phone number and name came after the decision"]


async def test_somebody_new_behind_a_large_switchboard_is_remembered_while_search_lags(world: World):
    world.hubspot.faults = Faults(search_lag_seconds=3600.0)
    for letter in "abcdefghijklmnopqrstu":
        world.clock.now += 1
        await world.process(world.client(firstName=f"{letter}nna", lastName="Byron", mobilePhoneNumber=f"{PHONE} ext. 1"))
    zoe = {"firstName": "Zoe", "lastName": "Byron", "mobilePhoneNumber": f"{PHONE} ext. 2"}
    world.clock.now += 1
    one, other = world.client(**zoe), world.client(**zoe)
    await world.process(one)
    await world.process(other)
    assert (await world.link(one))[0] == (await world.link(other))[0]


@pytest.mark.parametrize(("then", "now"), [((), ("gmail.com",)), (("gmail.com",), ())])
async def test_an_address_is_known_to_syncs_that_read_spellings_differently(world: World, then, now):
    grace = world.contact(**GRACE, email="older@example.com")
    world.use(ignore_dots_and_tags=then)
    await ask_both(world, world.client(**ADA | {"email": GMAIL}))
    await decide(world, 1, "link", grace)
    await run(world)
    world.use(ignore_dots_and_tags=now)
    await ask_both(world, world.client(**BY_EMAIL | {"email": GMAIL}))
    assert list(world.contacts()) == [grace]
    assert await reasons(world) == ["a customer we knew by this e-mail has another one now"]


async def test_many_retries_do_not_push_a_decision_out_of_the_trace(world: World):
    world.contact(**GRACE)
    ada = world.client(**BY_PHONE)
    await ask_both(world, ada)
    await decide(world, 1, "create")
    world.hubspot_gate.on("POST", "/contacts$", Faults(error_500=1), times=40)
    for _ in range(40):
        await run(world, 4000)
    world.fix()
    await run(world, 4000)
    (event,) = await world.rows("SELECT id FROM events")
    shown = await world.store.read(views.event, event[0])
    rules = [entry["rule"] for entry in shown["trace"]]
    assert rules == ["phone", "review", "booking_system", "crm_key", "create", "write_back"]


@pytest.mark.parametrize("gone", [True, False])
async def test_an_id_that_was_corrected_while_the_delivery_waited_is_read_again(world: World, gone):
    wrong = world.contact(firstname="Grace", lastname="King", email="grace@example.com")
    right, ada = world.contact(firstname="Ada", lastname="Byron", email="older@example.com"), world.client()
    world.booxi.set_link(int(ada), wrong)
    if gone:
        world.hubspot.archive(wrong)
    else:
        world.hubspot_gate.on("GET", "/contacts/", httpx.ConnectError("down"), times=9)
    await ask_both(world, ada)
    world.booxi.set_link(int(ada), right)
    world.fix()
    world.clock.now += 4000
    await world.store.upkeep.retry([1], world.clock())
    await run(world)
    assert await world.link(ada) == (right, "booking_system")
