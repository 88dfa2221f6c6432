"""Filling blanks: only blanks, never half of somebody else's name, and never a reason to undo a link."""

import httpx
import pytest

from connector.model.persons import Customer, NewCustomer
from connector.sandbox.kit.faults import Faults
from connector.sync.pipeline import missing_fields

from .gate import LOST
from .harness import ADA, PHONE, World

pytestmark = pytest.mark.anyio
PATCH = ("PATCH", r"/contacts/\d+$")


async def test_blanks_are_filled_and_the_trace_names_the_fields(world: World):
    contact = world.contact(email="ada@example.com")
    ended = await world.process(world.client(**ADA, homePhoneNumber="514 555 0124"))
    stored = world.contacts()[contact]
    assert (stored["firstname"], stored["lastname"]) == ("Ada", "Byron")
    assert (stored["mobilephone"], stored["phone"]) == (PHONE, "+15145550124")
    assert ended.note("fill", "written")["note"] == "blanks filled: first_name, last_name, mobile_phone, phone"
    assert await world.open_effects() == []


async def test_what_the_crm_knows_is_left_alone(world: World):
    known = {"email": "ada@example.com", "firstname": "Augusta", "lastname": "King", "mobilephone": "1", "phone": "2"}
    contact = world.contact(**known)
    await world.process(world.client(**ADA, homePhoneNumber="514 555 0124"))
    assert known.items() <= world.contacts()[contact].items()
    assert world.effects["PATCH contacts/{id}"] == 0


async def test_only_what_is_blank_is_sent(world: World):
    world.contact(email="ada@example.com", firstname="Ada", lastname="Byron", mobilephone="+15145550111")
    ended = await world.process(world.client(**ADA, homePhoneNumber="514 555 0124"))
    assert ended.note("fill", "written")["note"] == "blanks filled: phone"
    (contact,) = world.contacts().values()
    assert contact["mobilephone"] == "+15145550111"


async def test_an_email_is_given_to_a_customer_who_has_none(world: World):
    contact = world.contact(firstname="Ada", lastname="Byron", phone=PHONE)
    await world.process(world.client())
    assert world.contacts()[contact]["email"] == "ada@example.com"


async def test_a_later_booking_fills_what_an_earlier_one_did_not_say(world: World):
    ada = world.client(firstName="Ada", email="ada@example.com")
    await world.process(ada)
    world.booxi.state.clients[int(ada)].update(lastName="Byron", mobilePhoneNumber=PHONE)
    await world.process(ada)
    (contact,) = world.contacts().values()
    assert (contact["lastname"], contact["mobilephone"]) == ("Byron", PHONE)


@pytest.mark.parametrize(
    ("theirs", "ours", "filled"),
    [
        (("", ""), ("Ada", "Byron"), ("Ada", "Byron")),
        (("", "Byron"), ("Ada", "BYRON"), ("", "")),
        (("ada", ""), ("Ada", "Byron"), ("", "")),
        (("", "Ada Byron"), ("Ada", "Byron"), ("", "")),
        (("", "King"), ("Ada", "Byron"), ("", "")),
        (("Grace", ""), ("Ada", "Byron"), ("", "")),
        (("", "Byron"), ("Ada", ""), ("", "")),
        (("Ada", ""), ("", "Byron"), ("", "")),
        (("", ""), ("Ada", ""), ("Ada", "")),
        (("Ada", "Byron"), ("Grace", "Hopper"), ("", "")),
    ],
)
def test_half_a_name_is_no_evidence_for_the_other_half(theirs, ours, filled):
    customer = Customer(id="1", first_name=theirs[0], last_name=theirs[1], emails=("a@example.com",))
    missing = missing_fields(customer, NewCustomer(first_name=ours[0], last_name=ours[1]))
    assert ((missing.first_name, missing.last_name) if missing else ("", "")) == filled


@pytest.mark.parametrize(
    ("theirs", "ours", "origin", "filled"),
    [
        ("", ("Ada", "Byron"), "", ("Ada", "Byron")),
        # A part of the name is completed where the customer was made of this client, as in two fields.
        ("Ada", ("Ada", "Byron"), "created", ("Ada", "Byron")),
        ("Byron", ("Ada", "Byron"), "created", ("Ada", "Byron")),
        ("Ada", ("Ada", "Byron"), "", ("", "")),
        ("Ada", ("Ada", ""), "created", ("", "")),
        ("Ada Byron", ("Ada", "Byron"), "created", ("", "")),
        ("Augusta King", ("Ada", "Byron"), "created", ("", "")),
    ],
)
def test_a_name_in_one_field_is_never_filled_by_halves(theirs, ours, origin, filled):
    customer = Customer(id="1", first_name=theirs, one_name=True, emails=("a@example.com",))
    missing = missing_fields(customer, NewCustomer(first_name=ours[0], last_name=ours[1]), origin=origin)
    assert ((missing.first_name, missing.last_name) if missing else ("", "")) == filled


async def test_a_customer_we_have_just_made_has_no_blanks_to_fill(world: World):
    await world.process(world.client())
    assert world.effects == {"POST contacts": 1, "PUT link": 1}


async def test_blanks_stay_blank_where_the_sync_does_not_fill_them(world: World):
    world.use(fill_blanks=False)
    world.contact(email="ada@example.com")
    ended = await world.process(world.client())
    assert ended.state == "done"
    assert world.effects == {"PUT link": 1}


async def test_a_client_whose_delivery_says_nothing_fills_from_its_record(world: World):
    contact = world.contact(email="ada@example.com")
    ada = world.client()
    world.booxi.book(int(ada))
    world.booxi.outbox.waiting[0]["content"]["booking"]["client"] = {"id": int(ada)}
    await world.deliver_all()
    await world.run_all()
    assert world.contacts()[contact]["mobilephone"] == PHONE


# ---- refusals ----


async def test_a_refused_value_is_noted_and_the_event_is_done(world: World):
    world.contact(email="ada@example.com")
    refusal = {"status": "error", "category": "VALIDATION_ERROR", "message": "Ada Byron is no good"}
    world.hubspot_gate.on(*PATCH, httpx.Response(400, json=refusal))
    ada = world.client()
    ended = await world.process(ada)
    assert ended.state == "done"
    assert ended.note("fill", "refused")["note"] == "HubSpot: update a contact: answered 400"
    assert world.stored(ada) == (await world.link(ada))[0]
    assert await world.open_effects() == []


async def test_an_email_that_another_contact_has_is_left_out_and_the_rest_is_written(world: World):
    linked = world.contact(firstname="Ada", lastname="Byron")
    taken = world.contact(email="ada@example.com")
    ada = world.client()
    world.booxi.set_link(int(ada), linked)
    ended = await world.process(ada)
    assert ended.state == "done"
    assert ended.note("fill", "written")["note"] == "blanks filled: mobile_phone; the CRM refused: email"
    assert "email" not in world.contacts()[linked]
    assert world.contacts()[taken]["email"] == "ada@example.com"


async def test_a_conflict_over_another_value_is_noted_and_not_fatal(world: World):
    world.contact(email="ada@example.com")
    conflict = {"category": "VALIDATION_ERROR", "message": "propertyName=connector_person_key on 1. 2 already has that value."}
    world.hubspot_gate.on(*PATCH, httpx.Response(400, json=conflict))
    ended = await world.process(world.client())
    assert ended.state == "done"
    assert ended.rules[-1] == ("fill", "refused")


async def test_a_customer_deleted_while_we_fill_is_noted(world: World):
    contact = world.contact(email="ada@example.com")
    world.hubspot_gate.on(*PATCH, lambda: world.hubspot.archive(contact))
    ended = await world.process(world.client())
    assert (ended.state, ended.rules[-1]) == ("done", ("fill", "refused"))


# ---- failures that pass ----


async def test_a_lost_answer_is_looked_up_and_not_written_twice(world: World):
    contact = world.contact(email="ada@example.com")
    world.hubspot_gate.on(*PATCH, LOST)
    assert (await world.process(world.client())).state == "retrying"
    assert await world.open_effects() == ["fill"]
    (ended,) = await world.again()
    assert ended.state == "done"
    assert world.effects == {"PATCH contacts/{id}": 1, "PUT link": 1}
    assert world.contacts()[contact]["lastname"] == "Byron"
    assert await world.open_effects() == []


async def test_a_failed_write_is_tried_again_with_what_is_blank_then(world: World):
    contact = world.contact(email="ada@example.com")
    world.hubspot_gate.on(*PATCH, Faults(error_500=1))
    assert (await world.process(world.client())).state == "retrying"
    world.hubspot.records.update_contact(contact, {"firstname": "Grace", "lastname": "Hopper"})
    (ended,) = await world.again()
    assert ended.state == "done"
    assert "mobilephone" not in world.contacts()[contact], "Grace is somebody else"
    assert world.contacts()[contact]["firstname"] == "Grace"


async def test_a_retry_fills_what_only_the_client_s_record_says(world: World):
    contact, ada = world.contact(email="ada@example.com"), world.client()
    world.booxi.book(int(ada))
    world.booxi.outbox.waiting[-1]["content"]["booking"]["client"] = {"id": int(ada)}
    world.booxi_gate.on("PUT", "moduleLink", Faults(error_500=1))
    await world.deliver_all()
    await world.run_all()
    await world.again()
    assert world.contacts()[contact]["lastname"] == ADA["lastName"]
