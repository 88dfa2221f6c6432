"""E-mail and phone as evidence: one, none, several; names that agree, differ or are missing."""

import pytest

from connector.model.errors import NeedsReview
from connector.model.persons import Customer
from connector.sandbox.kit.faults import Faults
from connector.sync.matching.evidence import agrees
from connector.sync.person.agreement import Agreement
from connector.sync.person.names import PersonName

from .harness import ADA, PHONE, World

pytestmark = pytest.mark.anyio
NO_EMAIL = {key: value for key, value in ADA.items() if key != "email"}


async def reviews(world: World):
    return await world.rows("SELECT client_id, reason FROM reviews WHERE decision IS NULL")


# ---- names ----


@pytest.mark.parametrize(
    ("typed", "name", "grade"),
    [
        (("", "Ana Ruiz Soto"), ("Ana", "Ruiz"), Agreement.STRONG),
        (("Ana Ruiz Soto", ""), ("Ana", "Ruiz"), Agreement.STRONG),
        (("", "Ruiz Soto"), ("Ana", "Ruiz Soto"), Agreement.NONE),
        (("", "Tran Van An"), ("Tran Thi Bao", ""), Agreement.AGAINST),
        (("", "李娜"), ("李明", ""), Agreement.AGAINST),
        # One word is what its field says.
        (("Kim", ""), ("Jin", "Kim"), Agreement.AGAINST),
        (("", "Kim"), ("Jin", "Kim"), Agreement.NONE),
    ],
)
def test_a_name_that_was_typed_into_one_of_two_fields(typed, name, grade):
    assert agrees(PersonName(*name), Customer(id="1", first_name=typed[0], last_name=typed[1])) is grade


# ---- e-mail ----


@pytest.mark.parametrize("written", ["ada@example.com", " ADA@Example.COM ", "Ada@example.com"])
async def test_an_email_matches_however_it_is_written(world: World, written):
    contact = world.contact(email="ada@example.com")
    ada = world.client(**{**ADA, "email": written})
    await world.process(ada)
    assert await world.link(ada) == (contact, "email")


async def test_an_additional_address_of_a_contact_counts(world: World):
    contact = world.contact(email="work@example.org")
    world.hubspot.add_email(contact, "ada@example.com")
    ada = world.client()
    await world.process(ada)
    assert await world.link(ada) == (contact, "email")


async def test_an_email_matches_although_the_names_differ_and_the_trace_says_so(world: World):
    world.use(name_mismatch="link")
    contact = world.contact(email="ada@example.com", firstname="Grace", lastname="Hopper")
    ada = world.client()
    ended = await world.process(ada)
    assert ended.note("email", "match")["note"].endswith("; the names differ")
    assert await world.link(ada) == (contact, "email")
    assert world.contacts()[contact]["firstname"] == "Grace"


async def test_several_customers_with_the_email_need_a_person(world: World, monkeypatch: pytest.MonkeyPatch):
    two = [Customer(id=i, emails=("ada@example.com",), first_name=name) for i, name in (("71", "Ada"), ("72", "Grace"))]

    async def by_email(_: str) -> list[Customer]:
        return two

    monkeypatch.setattr(world.crm, "by_email", by_email)
    ada = world.client()
    ended = await world.process(ada)
    assert isinstance(ended.error, NeedsReview)
    assert str(ended.error) == "2 customers have this e-mail address"
    assert ended.rules[-1] == ("email", "ambiguous")
    assert ended.error.candidates == [
        {"customer_id": "71", "evidence": ["same e-mail", "the name agrees in part"]},
        {"customer_id": "72", "evidence": ["same e-mail", "the name differs"]},
    ]
    assert "connector review" in ended.error.hint
    assert await reviews(world) == [(ada, str(ended.error))]
    assert world.effects == {}


async def test_two_clients_who_share_an_email_share_a_customer(world: World):
    ada, other = world.client(), world.client(**{**ADA, "firstName": "A.", "mobilePhoneNumber": ""})
    await world.process(ada)
    await world.process(other)
    assert len(world.contacts()) == 1
    assert (await world.link(ada))[0] == (await world.link(other))[0]
    assert world.stored(ada) == world.stored(other)


async def test_an_address_that_our_customer_has_lost_to_nobody_needs_a_person(world: World):
    contact = world.contact(email="ada@example.com")
    await world.process(world.client())
    world.hubspot.records.update_contact(contact, {"email": "new@example.com"})
    other = world.client(email="ada@example.com")
    ended = await world.process(other)
    assert isinstance(ended.error, NeedsReview)
    assert [candidate["customer_id"] for candidate in ended.error.candidates] == [contact]
    assert len(world.contacts()) == 1


async def test_a_customer_we_made_under_an_address_and_who_has_none_now_is_still_theirs(world: World):
    await world.process(world.client())
    (contact,) = world.contacts()
    world.hubspot.records.update_contact(contact, {"email": ""})
    other = world.client(email="ada@example.com")
    await world.process(other)
    assert await world.link(other) == (contact, "email")


# ---- phone ----


@pytest.mark.parametrize("field", ["mobilePhoneNumber", "homePhoneNumber"])
@pytest.mark.parametrize("where", ["mobilephone", "phone"])
async def test_a_phone_matches_in_either_field_and_in_national_form(world: World, field, where):
    contact = world.contact(firstname="ADA", lastname="Byron", **{where: "(514) 555-0123"})
    ada = world.client(firstName="Ada", lastName="Byron", **{field: "514 555 0123"})
    await world.process(ada)
    assert await world.link(ada) == (contact, "phone")


async def test_a_phone_with_another_name_needs_a_person_who_sees_the_candidate(world: World):
    contact = world.contact(lastname="Byron", mobilephone=PHONE, email="grace@example.com")
    ada = world.client()
    ended = await world.process(ada)
    assert isinstance(ended.error, NeedsReview)
    assert str(ended.error) == "the phone number matches, the names cannot be compared", "reason and evidence agree"
    assert ended.rules[-1] == ("phone", "ambiguous")
    assert ended.error.candidates == [
        {"customer_id": contact, "evidence": ["same phone", "the names cannot be compared", "the e-mail address differs"]}
    ]
    assert await reviews(world) == [(ada, str(ended.error))]
    assert list(world.contacts()) == [contact]


async def test_a_phone_of_a_nameless_customer_needs_a_person(world: World):
    contact = world.contact(email="x@example.com", mobilephone=PHONE)
    ended = await world.process(world.client(**NO_EMAIL))
    assert isinstance(ended.error, NeedsReview)
    assert ended.error.candidates == [{"customer_id": contact, "evidence": ["same phone", "the names cannot be compared"]}]


async def test_of_several_with_the_phone_the_one_whose_name_agrees(world: World):
    world.contact(firstname="Grace", lastname="Hopper", phone=PHONE)
    contact = world.contact(firstname="Ada", lastname="Byron", phone=PHONE)
    ada = world.client()
    await world.process(ada)
    assert await world.link(ada) == (contact, "phone")


async def test_several_with_the_phone_and_the_name_need_a_person(world: World):
    two = [world.contact(firstname="Ada", lastname="Byron", phone=PHONE) for _ in range(2)]
    ended = await world.process(world.client())
    assert isinstance(ended.error, NeedsReview)
    assert [candidate["customer_id"] for candidate in ended.error.candidates] == two
    assert world.effects == {}


@pytest.mark.parametrize("lag", [0, 60])
async def test_two_clients_with_one_phone_and_different_names_are_not_silently_one_customer(world: World, lag):
    world.hubspot.faults = Faults(search_lag_seconds=lag)
    ada, grace = world.client(**NO_EMAIL), world.client(firstName="Grace", lastName="Hopper", mobilePhoneNumber=PHONE)
    await world.book(ada)
    await world.book(grace)
    states = {e.work.client_id: (e.state, type(e.error).__name__) for e in await world.run_all()}
    assert sorted(states.values()) == [("done", "NoneType"), ("held", "NeedsReview")]
    assert len(world.contacts()) == 1
    assert len(await world.links()) == 1


async def test_both_phones_are_asked_for(world: World):
    contact = world.contact(firstname="Ada", lastname="Byron", phone="+15145550124")
    ada = world.client(**{**NO_EMAIL, "homePhoneNumber": "514 555 0124"})
    await world.process(ada)
    assert await world.link(ada) == (contact, "phone")


async def test_the_same_digits_in_another_country_are_another_number(world: World):
    contact = world.contact(firstname="Ada", lastname="Byron", phone="+33 514 555 0123")
    ada = world.client(**NO_EMAIL)
    await world.process(ada)
    assert (await world.link(ada))[0] != contact


# ---- extensions ----


async def test_a_colleague_behind_the_same_switchboard_is_nobody_to_review(world: World):
    grace = world.contact(firstname="Grace", lastname="Hopper", phone="+1 514 555 0123 ext. 11")
    ada = world.client(**{**NO_EMAIL, "mobilePhoneNumber": "+1 514 555 0123 ext. 12"})
    ended = await world.process(ada)
    assert ended.work.outcome == "created"
    assert (await world.link(ada))[0] != grace


async def test_behind_a_switchboard_the_agreeing_name_tells_who_it_is(world: World):
    contact = world.contact(firstname="Ada", lastname="Byron", phone="+1 514 555 0123")
    ada = world.client(**{**NO_EMAIL, "mobilePhoneNumber": "514 555 0123 x12"})
    await world.process(ada)
    assert await world.link(ada) == (contact, "phone")


async def test_an_extension_is_not_written_into_the_crm_and_the_next_client_finds_the_person(world: World):
    world.hubspot.faults = Faults(search_lag_seconds=60)
    first, second = (world.client(**{**NO_EMAIL, "mobilePhoneNumber": "514 555 0123 x12"}) for _ in range(2))
    await world.process(first)
    assert [contact["mobilephone"] for contact in world.contacts().values()] == [PHONE]
    await world.process(second)
    assert len(world.contacts()) == 1
    assert await world.link(second) == ((await world.link(first))[0], "phone")


async def test_a_customer_whose_name_is_in_one_field_is_read_like_a_client(world: World):
    world.contact(firstname="A. Byron", mobilephone=PHONE, email="grace@example.com")
    ended = await world.process(world.client())
    assert isinstance(ended.error, NeedsReview)
    assert str(ended.error) == "the phone number matches, the name only in part", "an initial does not speak against it"
