"""The seven rules, in their order: which evidence decides, and what the trace says of those that did not."""

import pytest

from connector.model.errors import Hold

from .harness import ADA, PHONE, World

pytestmark = pytest.mark.anyio


# ---- each rule against the next one ----


async def test_our_link_decides_before_what_the_delivery_says(world: World):
    ours, theirs = world.contact(email="ada@example.com"), world.contact(email="other@example.com")
    ada = world.client()
    await world.process(ada)
    world.booxi.set_link(int(ada), theirs)
    ended = await world.process(ada)
    assert ended.rules[0] == ("our_link", "match")
    assert ended.work.outcome == "already_linked"
    assert await world.link(ada) == (ours, "email")


async def test_the_delivery_decides_before_what_the_booking_system_stores(world: World):
    told, stored = world.contact(email="a@example.com"), world.contact(email="b@example.com")
    ada = world.client()
    world.booxi.set_link(int(ada), told)
    world.booxi.book(int(ada))
    world.booxi.set_link(int(ada), stored)
    await world.deliver_all()
    (ended,) = await world.run_all()
    assert ended.rules[0] == ("delivery", "match")
    assert await world.link(ada) == (told, "delivery")
    assert world.booxi_gate.sent == [], "the booking system need not be asked"


async def test_the_stored_link_decides_before_our_key(world: World):
    ada = world.client()
    world.contact(key_of=ada, email="ada@example.com")
    stored = world.contact(email="stored@example.com")
    world.booxi.set_link(int(ada), stored)
    world.booxi.links_in_webhooks = False
    ended = await world.process(ada)
    assert ended.rules[0] == ("booking_system", "match")
    assert ended.work.outcome == "already_linked"
    assert await world.link(ada) == (stored, "booking_system")
    assert (await world.links())[ada]["written_back_at"] is None, "the other side had it already"


async def test_our_key_decides_before_the_email(world: World):
    ada = world.client()
    world.contact(email="ada@example.com")
    keyed = world.contact(key_of=ada, email="older@example.com")
    ended = await world.process(ada)
    assert ended.rules[:2] == [("booking_system", "none"), ("crm_key", "match")]
    assert await world.link(ada) == (keyed, "crm_key")


async def test_the_email_decides_before_the_phone(world: World):
    by_email = world.contact(email="ada@example.com")
    world.contact(firstname="Ada", lastname="Byron", mobilephone=PHONE)
    ada = world.client()
    ended = await world.process(ada)
    assert ended.rules[:3] == [("booking_system", "none"), ("crm_key", "none"), ("email", "match")]
    assert await world.link(ada) == (by_email, "email")


async def test_the_phone_with_an_agreeing_name_decides_before_a_create(world: World):
    by_phone = world.contact(firstname="Ada", lastname="Byron", mobilephone=PHONE)
    ada = world.client()
    ended = await world.process(ada)
    assert ended.rules[:4] == [("booking_system", "none"), ("crm_key", "none"), ("email", "none"), ("phone", "match")]
    assert ended.work.outcome == "matched"
    assert await world.link(ada) == (by_phone, "phone")


async def test_when_every_answer_is_empty_one_customer_is_created_and_the_trace_says_all_of_it(world: World):
    ada = world.client()
    ended = await world.process(ada)
    (contact,) = world.contacts()
    assert (ended.state, ended.work.outcome) == ("done", "created")
    assert ended.rules == [
        ("booking_system", "none"),
        ("crm_key", "later"),
        ("email", "none"),
        ("phone", "none"),
        ("create", "created"),
        ("write_back", "written"),
    ]
    assert await world.link(ada) == (contact, "created")
    assert world.stored(ada) == contact


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ({"email": "ada@example.com"}, ["email"]),
        ({"firstName": "Ada", "mobilePhoneNumber": "+1 514 555 0123"}, ["phone"]),
    ],
)
async def test_only_look_ups_that_were_made_are_in_the_trace(world: World, known, asked):
    ended = await world.process(world.client(**known))
    assert [rule for rule, _ in ended.rules] == ["booking_system", "crm_key", *asked, "create", "write_back"]


async def test_notes_name_the_customer_and_say_in_words_what_was_found(world: World):
    contact = world.contact(email="ada@example.com")
    ended = await world.process(world.client())
    assert ended.note("email", "match") == {
        "rule": "email",
        "result": "match",
        "note": "the only customer with this e-mail address",
        "customer_id": contact,
    }
    assert ended.note("crm_key", "none")["note"] == "no customer carries our key for this client"


async def test_a_link_into_another_crm_is_not_taken_for_one_of_ours(world: World):
    ada = world.client()
    await world.process(ada)
    await world.store.database.write(lambda c: c.execute("UPDATE links SET crm = 'older', customer_id = '1'"))
    world.booxi.state.links.clear()
    ended = await world.process(ada)
    assert ended.rules[0] == ("booking_system", "none")
    assert await world.link(ada) == (*world.contacts(), "crm_key")


# ---- what a delivery says about links ----


async def test_entries_of_other_modules_and_other_clients_are_not_ours(world: World):
    ada, bob = world.client(), world.client(firstName="Bob", email="bob@example.com")
    of_bob = world.contact(email="bob@example.com")
    world.booxi.set_link(int(bob), of_bob)
    world.booxi.set_link(int(ada), "L-77", module_id="loyalty")
    ended = await world.process(ada, attendees=[int(ada), int(bob)])
    assert ended.work.event.linked_customer_id is None
    assert ended.rules[0] == ("booking_system", "none")
    assert (await world.link(bob)) == (of_bob, "delivery")
    assert (await world.link(ada))[1] == "created"


async def test_our_entry_is_found_wherever_it_stands_in_the_array(world: World):
    ada = world.client()
    contact = world.contact(email="ada@example.com")
    world.booxi.book(int(ada))
    (body,) = world.booxi.outbox.waiting
    body["content"]["clientLinks"] = [
        None,
        {"clientId": int(ada), "moduleId": "loyalty", "externalId": "L-1"},
        {"clientId": 5, "moduleId": "hubspot", "externalId": "999"},
        {"clientId": str(ada), "moduleId": "hubspot", "externalId": contact},
    ]
    await world.deliver_all()
    await world.run_all()
    assert await world.link(ada) == (contact, "delivery")


async def test_every_attendee_is_linked_to_a_customer_of_their_own(world: World):
    ada, bob = world.client(), world.client(firstName="Bob", lastName="Hill", email="bob@example.com")
    await world.book(ada, attendees=[int(ada), int(bob)])
    ended = await world.run_all()
    assert [e.state for e in ended] == ["done", "done"]
    assert len({(await world.link(ada))[0], (await world.link(bob))[0]}) == 2
    assert world.booxi.links().keys() == {int(ada), int(bob)}


async def test_a_second_booking_of_a_linked_client_writes_nothing(world: World):
    ada = world.client()
    await world.process(ada)
    before = world.effects
    ended = await world.process(ada)
    assert ended.rules == [("our_link", "match")]
    assert (ended.work.outcome, ended.work.written_back) == ("already_linked", False)
    assert world.effects == before


# ---- nobody to identify, nobody to create ----


@pytest.mark.parametrize(
    "fields",
    [
        {"firstName": ""},
        {"firstName": "Ada", "lastName": "Byron"},
        {"firstName": "Deleted", "lastName": "User", "email": "deleted-17@example.com"},
        {"firstName": "***", "email": "anonymised@example.invalid", "mobilePhoneNumber": "000 000 0000"},
        {"firstName": "Ada", "email": "not an address", "mobilePhoneNumber": "12"},
    ],
    ids=["blank", "bare name", "anonymised", "anonymised with a number", "unreadable"],
)
async def test_nothing_to_identify_ends_as_ignored_and_creates_nobody(world: World, fields):
    ended = await world.process(world.client(**fields))
    assert (ended.state, type(ended.error).__name__) == ("ignored", "NothingToIdentify")
    assert world.contacts() == {}
    assert await world.links() == {}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"firstName": "Ada", "mobilePhoneNumber": "555-0123"}, "mobile phone"),
        ({"firstName": "Ada", "email": "ada@@example", "homePhoneNumber": "555-0123"}, "email, home phone"),
    ],
)
async def test_what_is_said_and_cannot_be_read_is_held(world: World, fields, named):
    ended = await world.process(world.client(**fields))
    assert (ended.state, type(ended.error)) == ("held", Hold)
    assert f"what is written as {named} cannot be read" in str(ended.error)
    assert "[booking.stores]" in ended.error.hint
    assert world.contacts() == {}


async def test_a_blank_client_with_a_link_is_still_linked(world: World):
    contact = world.contact(email="ada@example.com")
    client = world.client(firstName="")
    world.booxi.set_link(int(client), contact)
    assert (await world.process(client)).state == "done"
    assert await world.link(client) == (contact, "delivery")


async def test_what_the_delivery_leaves_out_is_read_from_the_client_record(world: World):
    ada = world.client()
    world.booxi.book(int(ada))
    world.booxi.outbox.waiting[0]["content"]["booking"]["client"] = {"id": int(ada)}
    await world.deliver_all()
    (ended,) = await world.run_all()
    assert ended.work.outcome == "created"
    (contact,) = world.contacts().values()
    assert (contact["email"], contact["lastname"], contact["mobilephone"]) == ("ada@example.com", "Byron", PHONE)


async def test_a_phone_without_a_name_waits_for_a_person_instead_of_a_create(world: World):
    ended = await world.process(world.client(mobilePhoneNumber="+1 514 555 0123"))
    assert (ended.state, type(ended.error).__name__) == ("held", "Hold")
    assert "too little" in str(ended.error)
    assert ended.error.hint
    assert world.contacts() == {}


async def test_a_sync_that_only_links_holds_whoever_is_not_there(world: World):
    world.use(create=False)
    ended = await world.process(world.client())
    assert (ended.state, type(ended.error).__name__) == ("held", "Hold")
    assert "create = true" in ended.error.hint
    assert world.contacts() == {}


async def test_a_sync_that_only_links_links_whoever_is_there(world: World):
    world.use(create=False)
    contact = world.contact(email="ada@example.com")
    ada = world.client(**ADA)
    assert (await world.process(ada)).state == "done"
    assert world.stored(ada) == contact


async def test_a_customer_at_the_other_domain_of_the_same_mailbox_is_found(world: World):
    customer = world.contact(email="kate.example@googlemail.com", firstname="Kate", lastname="Ross")
    kate = world.client(firstName="Kate", lastName="Ross", email="kate.example@googlemail.com")
    await world.process(kate)
    assert await world.link(kate) == (customer, "email")
    assert len(world.hubspot.contacts()) == 1
