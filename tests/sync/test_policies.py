"""The policies of a [[sync]]: who is taken among several, differing names, phones, shared addresses, the least for a create."""

import pytest

from connector.config.settings import SyncSettings
from connector.model.errors import Hold, NeedsReview
from connector.model.persons import Customer

from .harness import ADA, PHONE, World

pytestmark = pytest.mark.anyio
NO_EMAIL = {key: value for key, value in ADA.items() if key != "email"}
NAME = {"firstname": ADA["firstName"], "lastname": ADA["lastName"]}


@pytest.mark.parametrize(("policy", "taken"), [("oldest", 0), ("latest_activity", 1)])
async def test_a_policy_decides_among_several(world: World, policy, taken):
    first = world.contact(mobilephone=PHONE, **NAME)
    world.clock.now += 3600
    second = world.contact(mobilephone=PHONE, **NAME)
    world.use(several_candidates=policy)
    ada = world.client(**NO_EMAIL)
    ended = await world.process(ada)
    assert await world.link(ada) == ((first, second)[taken], "phone")
    assert "several_candidates" in ended.note("phone", "match")["note"]


async def test_without_dates_no_policy_decides(world: World, monkeypatch: pytest.MonkeyPatch):
    async def by_email(_: str) -> list[Customer]:
        return [Customer(id="71", emails=("ada@example.com",)), Customer(id="72", emails=("ada@example.com",))]

    monkeypatch.setattr(world.crm, "by_email", by_email)
    world.use(several_candidates="oldest")
    assert isinstance((await world.process(world.client())).error, NeedsReview)


async def test_differing_names_can_be_held(world: World):
    contact = world.contact(email="ada@example.com", firstname="Grace", lastname="Hopper")
    world.use(name_mismatch="hold")
    ada = world.client()
    ended = await world.process(ada)
    assert isinstance(ended.error, NeedsReview)
    assert ended.error.candidates == [{"customer_id": contact, "evidence": ["same e-mail", "the name differs"]}]
    assert await world.link(ada) is None


async def test_agreeing_names_are_linked_although_differing_ones_are_held(world: World):
    contact = world.contact(email="ada@example.com", **NAME)
    world.use(name_mismatch="hold")
    ada = world.client()
    await world.process(ada)
    assert await world.link(ada) == (contact, "email")


async def test_phones_find_nobody_when_told_so(world: World):
    world.contact(mobilephone=PHONE, **NAME)
    world.use(match_phone=False)
    ada = world.client(**NO_EMAIL)
    await world.process(ada)
    assert (await world.link(ada))[1] == "created"


async def test_an_address_of_a_desk_finds_nobody_and_is_not_written(world: World):
    desk = world.contact(email="desk@frontdesk.example.com")
    world.use(shared_email_domains=("frontdesk.example.com",))
    ada = world.client(**{**ADA, "email": "Desk@FrontDesk.example.com"})
    await world.process(ada)
    customer, origin = await world.link(ada)
    assert (customer != desk, origin) == (True, "created")
    assert not world.contacts()[customer].get("email")


async def test_spellings_of_one_mailbox_are_one_customer_where_told_so(world: World):
    world.use(ignore_dots_and_tags=("gmail.com",))
    one, other = (world.client(email=email) for email in ("a.da@gmail.com", "ada+spa@gmail.com"))
    await world.process(one)
    await world.process(other)
    assert [contact["email"] for contact in world.contacts().values()] == ["a.da@gmail.com"]
    assert await world.link(other) == ((await world.link(one))[0], "email")


async def test_a_customer_with_the_plain_address_is_found_by_any_spelling_where_told_so(world: World):
    contact = world.contact(email="ada@gmail.com")
    world.use(ignore_dots_and_tags=("gmail.com",))
    ada = world.client(email="a.da+spa@gmail.com")
    await world.process(ada)
    assert await world.link(ada) == (contact, "email")


async def test_spellings_are_different_people_unless_told_so(world: World):
    for email in ("a.da@gmail.com", "ada@gmail.com"):
        await world.process(world.client(email=email))
    assert len(world.contacts()) == 2


async def test_a_deleted_customer_is_created_anew_where_told_so(world: World):
    ada = world.client()
    await world.process(ada)
    (deleted,) = world.contacts()
    world.hubspot.archive(deleted)
    held = await world.process(ada)
    assert (held.state, type(held.error)) == ("held", Hold)
    world.use(deleted_customer="create")
    await world.book(ada)
    ended, released = await world.run_all()
    assert (ended.state, released.state) == ("done", "done")
    (again,) = world.contacts()
    assert ended.rules[0] == ("our_link", "gone")
    assert await world.link(ada) == (again, "created")
    assert world.stored(ada) == again != deleted


@pytest.mark.parametrize("in_delivery", [True, False])
async def test_a_stored_id_of_a_deleted_customer_is_replaced_where_told_so(world: World, in_delivery):
    deleted, ada = world.contact(email="older@example.com"), world.client()
    world.booxi.set_link(int(ada), deleted)
    world.hubspot.archive(deleted)
    other = world.contact(email="ada@example.com")
    world.use(deleted_customer="create")
    world.booxi.book(int(ada))
    if not in_delivery:
        world.booxi.outbox.waiting[-1]["content"].pop("clientLinks", None)
    await world.deliver_all()
    await world.run_all()
    assert await world.link(ada) == (other, "email")
    assert world.stored(ada) == other


@pytest.mark.parametrize(
    ("minimum", "fields", "lacking"),
    [
        ("email", NO_EMAIL, "an e-mail address is missing"),
        ("email_and_name", NO_EMAIL, "an e-mail address is missing"),
        ("email_and_name", {"email": "ada@example.com"}, "a name is missing"),
    ],
)
async def test_less_than_the_minimum_is_held(world: World, minimum, fields, lacking):
    world.use(minimum_identity=minimum)
    ended = await world.process(world.client(**fields))
    assert isinstance(ended.error, Hold)
    assert lacking in str(ended.error)
    assert world.contacts() == {}


async def test_the_minimum_is_enough(world: World):
    world.use(minimum_identity="email_and_name")
    ada = world.client()
    await world.process(ada)
    assert (await world.link(ada))[1] == "created"


@pytest.mark.parametrize("domain", ["ada@example.com", "localhost", "example com.org", ""])
def test_what_is_no_domain_is_refused(domain):
    with pytest.raises(ValueError, match="is not a domain"):
        SyncSettings(booking="stores", crm="main", shared_email_domains=(domain,))
