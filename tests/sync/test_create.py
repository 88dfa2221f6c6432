"""A create that goes wrong: the effect without the answer, the answer without the effect, and a CRM that knows better."""

import httpx
import pytest

from connector.model.errors import Conflict, Lasting, Rejected, UnknownOutcome
from connector.sandbox.hubspot.app import Rules
from connector.sandbox.kit.faults import Faults

from .gate import BEFORE_IT_ARRIVED, LOST
from .harness import ADA, KEY, PHONE, World

pytestmark = pytest.mark.anyio
NO_EMAIL = {key: value for key, value in ADA.items() if key != "email"}
CREATE = ("POST", "/contacts$")


@pytest.mark.parametrize("known", [ADA, NO_EMAIL], ids=["e-mail", "phone and name"])
@pytest.mark.parametrize(
    "mishap",
    [LOST, Faults(timeout=1, timeout_seconds=0), Faults(error_after_effect=1)],
    ids=["lost answer", "time-out", "error after the effect"],
)
async def test_an_effect_without_its_answer_is_found_by_the_retry(world: World, mishap, known):
    world.hubspot_gate.on(*CREATE, mishap)
    ada = world.client(**known)
    ended = await world.process(ada)
    assert (ended.state, type(ended.error)) == ("retrying", UnknownOutcome)
    assert await world.open_effects() == ["create", *["claim"] * len({"email", "mobilePhoneNumber"} & known.keys())]
    assert world.stored(ada) is None

    (ended,) = await world.again()
    assert ended.work.outcome == "created"
    assert ended.note("crm_key", "match")["note"] == "the customer that an earlier attempt created"
    assert world.effects["POST contacts"] == 1
    (contact,) = world.contacts()
    assert await world.link(ada) == (contact, "created")
    assert world.stored(ada) == contact
    assert await world.open_effects() == []


@pytest.mark.parametrize("mishap", [Faults(error_500=1), Faults(error_503=1), BEFORE_IT_ARRIVED], ids=["500", "503", "silence"])
async def test_a_failure_that_may_have_been_an_effect_and_was_not_is_done_by_the_retry(world: World, mishap):
    world.hubspot_gate.on(*CREATE, mishap)
    ada = world.client()
    assert isinstance((await world.process(ada)).error, UnknownOutcome)
    assert world.contacts() == {}
    await world.again()
    assert await world.link(ada) == (*world.contacts(), "created")
    assert await world.open_effects() == []


async def test_an_effect_that_comes_later_than_our_second_look_is_still_ours(world: World):
    """The first request arrives only while the second is on its way; the CRM then refuses the second."""
    ada = world.client()
    late = {"email": "ada@example.com", "firstname": "Ada", "lastname": "Byron"}
    world.hubspot_gate.on(*CREATE, BEFORE_IT_ARRIVED)
    await world.process(ada)
    world.fix()
    world.hubspot_gate.on(*CREATE, lambda: world.contact(key_of=ada, **late))
    world.clock.now += 10
    (ended,) = await world.run_all()
    assert ended.note("create", "conflict")
    assert ended.work.outcome == "created"
    assert await world.link(ada) == (*world.contacts(), "created")


async def test_several_lost_answers_in_a_row_still_make_one_contact(world: World):
    ada = world.client()
    world.hubspot_gate.on(*CREATE, LOST)
    await world.process(ada)
    world.hubspot_gate.on("GET", "/contacts/[0-9a-f]{64}$", Faults(error_500=1), times=1)
    world.clock.now += 10
    await world.run_all()
    await world.again()
    assert len(world.contacts()) == world.effects["POST contacts"] == 1
    assert (await world.link(ada))[1] == "created"


# ---- the CRM refuses a second record ----


async def test_a_409_names_the_winner_and_that_is_the_customer(world: World):
    """Somebody adds the contact after we have looked for it."""
    ada = world.client()
    world.hubspot_gate.on(*CREATE, lambda: world.contact(email="ada@example.com"))
    ended = await world.process(ada)
    assert ended.note("create", "conflict")["note"] == "the CRM already had this person (same email)"
    assert (ended.state, ended.work.outcome) == ("done", "matched")
    (contact,) = world.contacts()
    assert await world.link(ada) == (contact, "email")
    assert world.stored(ada) == contact
    assert await world.open_effects() == []


async def test_a_400_that_says_who_has_our_key_names_the_winner(world: World):
    ada = world.client(**NO_EMAIL)
    world.hubspot_gate.on(*CREATE, lambda: world.contact(key_of=ada, firstname="Ada"))
    ended = await world.process(ada)
    assert ended.note("create", "conflict")["note"] == "the CRM already had this person (same key)"
    (contact,) = world.contacts()
    assert await world.link(ada) == (contact, "crm_key")


async def test_a_winner_who_was_merged_meanwhile_is_the_survivor(world: World):
    ada = world.client()

    def merged():
        world.hubspot.merge(world.contact(email="b@example.com"), world.contact(email="ada@example.com"))

    world.hubspot_gate.on(*CREATE, merged)
    await world.process(ada)
    (survivor,) = world.contacts()
    assert (await world.link(ada), world.stored(ada)) == ((survivor, "email"), survivor)


async def test_a_conflict_in_another_wording_is_settled_by_looking(world: World):
    world.hubspot.records.rules = Rules(conflict_names_winner=False)
    ada = world.client()
    world.hubspot_gate.on(*CREATE, lambda: world.contact(email="ada@example.com"))
    await world.process(ada)
    assert await world.link(ada) == (*world.contacts(), "email")


async def test_a_conflict_whose_winner_nobody_can_see_is_tried_again(world: World):
    world.hubspot.records.rules = Rules(archived_blocks_email=True)
    gone = world.contact(email="ada@example.com")
    world.hubspot.archive(gone)
    ended = await world.process(world.client())
    assert (ended.state, type(ended.error)) == ("retrying", Lasting)
    assert "recycle bin" in ended.error.hint
    assert "exists already but does not show the record yet" in str(ended.error)
    assert await world.links() == {}
    assert await world.open_effects() == [], "it was refused for certain, so it blocks nobody"

    world.hubspot.records.contacts[gone].archived = False
    (ended,) = await world.again()
    assert await world.link(ended.work.client_id) == (gone, "email")


async def test_a_winner_who_cannot_be_read_is_nobody_yet(world: World):
    ada = world.client()
    world.hubspot_gate.on(*CREATE, lambda: world.contact(email="ada@example.com"))
    world.hubspot_gate.on("GET", r"/contacts/\d+$", Faults(error_500=1))
    ended = await world.process(ada)
    assert ended.state == "retrying"
    assert await world.links() == {}
    await world.again()
    assert await world.link(ada) == (*world.contacts(), "email")
    assert world.effects["POST contacts"] == 1


# ---- other refusals ----


async def test_a_refusal_for_good_is_held_and_leaves_nothing_open(world: World):
    refusal = {"status": "error", "message": "Email address ada@example.com is invalid", "category": "VALIDATION_ERROR"}
    world.hubspot_gate.on(*CREATE, httpx.Response(400, json=refusal))
    ended = await world.process(world.client())
    assert (ended.state, type(ended.error)) == ("held", Rejected)
    assert ended.error.hint == "HubSpot's reasons: VALIDATION_ERROR."
    assert await world.open_effects() == []


async def test_a_field_that_the_account_refuses_costs_only_that_field(world: World):
    refusal = {"category": "VALIDATION_ERROR", "errors": [{"context": {"propertyName": ["firstname"]}}]}
    world.hubspot_gate.on(*CREATE, httpx.Response(400, json=refusal))
    ada = world.client()
    ended = await world.process(ada)
    assert ended.note("create", "created")["note"] == "no customer was found, so one was created; the CRM refused: first_name"
    assert await world.link(ada) == (*world.contacts(), "created")


async def test_a_refusal_that_names_a_stranger_links_nobody_to_the_stranger(world: World):
    stranger = world.contact(email="grace@example.com")
    refusal = {"category": "CONFLICT", "message": f"Contact already exists. Existing ID: {stranger}"}
    world.hubspot_gate.on(*CREATE, httpx.Response(409, json=refusal))
    ended = await world.process(world.client(**NO_EMAIL))
    assert ended.state == "retrying"
    assert await world.links() == {}


async def test_a_refusal_after_an_unknown_outcome_does_not_forget_that_it_may_have_happened(world: World):
    world.hubspot_gate.on(*CREATE, BEFORE_IT_ARRIVED)
    await world.process(world.client())
    world.fix()
    world.hubspot_gate.on(*CREATE, httpx.Response(400, json={"category": "VALIDATION_ERROR", "message": "no"}))
    world.clock.now += 10
    (ended,) = await world.run_all()
    assert ended.state == "held"
    assert "create" in await world.open_effects()


async def test_without_our_property_nobody_is_created_and_the_event_waits(world: World):
    del world.hubspot.records.properties[KEY]
    ended = await world.process(world.client())
    assert (ended.state, type(ended.error).__name__) in [("queued", "AccountPaused"), ("held", "Rejected")]
    assert world.contacts() == {}


async def test_what_a_new_customer_is_given(world: World):
    ada = world.client(**{**ADA, "homePhoneNumber": "(514) 555-0124", "firstName": "  Ada ", "lastName": "de la Cruz"})
    await world.process(ada)
    (contact,) = world.contacts().values()
    given = {name: contact.get(name) for name in ("email", "firstname", "lastname", "mobilephone", "phone")}
    assert given == {
        "email": "ada@example.com",
        "firstname": "Ada",
        "lastname": "de la Cruz",
        "mobilephone": PHONE,
        "phone": "+15145550124",
    }
    assert len(contact[KEY]) == 64


async def test_a_whole_name_in_one_field_keeps_the_surname(world: World):
    await world.process(world.client(firstName="Jean Pierre Dupont", email="jp@example.com"))
    (contact,) = world.contacts().values()
    assert (contact["firstname"], contact["lastname"]) == ("Jean Pierre", "Dupont")


async def test_a_conflict_is_never_an_error_of_the_event(world: World):
    for number in range(3):
        world.hubspot_gate.on(*CREATE, lambda n=number: world.contact(email=f"ada{n}@example.com"), times=1)
        ended = await world.process(world.client(**{**NO_EMAIL, "lastName": f"B{number}", "email": f"ada{number}@example.com",
                                                    "mobilePhoneNumber": ""}))  # fmt: skip
        assert not isinstance(ended.error, Conflict)
    assert len(world.contacts()) == 3


async def test_nobody_is_created_for_what_was_deleted(world: World):
    ada = world.client()
    await world.book(ada)
    await world.store.database.write(lambda c: c.execute("UPDATE events SET payload = json_set(payload, '$.kind', 'deleted')"))
    (ended,) = await world.run_all()
    assert (ended.state, "no customer is created for a deleted client" in str(ended.error)) == ("ignored", True)
    assert world.contacts() == {}
