"""Look-ups: an answer of None or [] means answered and empty; anything else raises."""

import pytest

from connector.model.errors import Lasting, Rejected, RemoteError, Transient, Unavailable
from connector.model.persons import NewCustomer
from connector.sandbox.hubspot.app import Rules
from connector.sandbox.kit.faults import Faults

pytestmark = pytest.mark.anyio
KEY = "connector_person_key"
PHONE = "+15145550123"


# ---- by id ----


async def test_get_reads_all_we_compare(sandbox, crm):
    contact = sandbox.add_contact(
        email="ada@example.com", firstname="Ada", lastname="Byron", mobilephone="+1 514 555 0123", phone="555", **{KEY: "k1"}
    )
    sandbox.add_email(contact, "Countess@example.org")
    found = await crm.get(contact)
    assert found.created_at == found.active_at is not None
    assert found.model_dump(exclude={"created_at", "active_at"}) == {
        "id": contact,
        "first_name": "Ada",
        "last_name": "Byron",
        "emails": ("ada@example.com", "countess@example.org"),
        "mobile_phone": "+1 514 555 0123",
        "phone": "555",
        "person_key": "k1",
    }


@pytest.mark.parametrize("rules", [Rules(merged_id="new"), Rules(merged_id="primary")])
async def test_get_follows_merges(sandbox, crm, rules):
    sandbox.records.rules = rules
    first, second = sandbox.add_contact(email="a@example.com"), sandbox.add_contact(email="b@example.com", phone="5")
    survivor = sandbox.merge(first, second)
    assert (survivor == first) == (rules.merged_id == "primary")
    assert {(await crm.get(old)).id for old in (first, second, survivor)} == {survivor}
    assert set((await crm.get(first)).emails) == {"a@example.com", "b@example.com"}
    third = sandbox.add_contact(email="c@example.com")
    last = sandbox.merge(third, survivor)
    assert (await crm.get(second)).id == last, "merges of merges are followed too"


async def test_get_of_an_archived_or_unknown_contact_is_none(sandbox, crm):
    contact = sandbox.add_contact(email="a@example.com")
    sandbox.archive(contact)
    assert await crm.get(contact) is None
    assert await crm.get("999999") is None


async def test_an_answer_that_says_archived_is_none(scripted, remote):
    remote.answer(200, {"id": "1", "properties": {"email": "a@example.com"}, "archived": True})
    assert await scripted.get("1") is None
    assert await scripted.by_email("a@example.com") == []


@pytest.mark.parametrize("odd", ["", "abc", "12x", "../1", "٣", "1" * 30, "-1"])
async def test_an_id_that_cannot_be_hubspots_is_none_without_a_call(scripted, remote, odd):
    assert await scripted.get(odd) is None
    assert remote.asked == []


@pytest.mark.parametrize("data", [b"<html>not found</html>", None, {}, []])
async def test_a_404_that_is_not_hubspots_is_not_an_absence(scripted, remote, data):
    remote.answer(404, data)
    for look in (scripted.get("1"), scripted.by_email("a@example.com"), scripted.by_key("k")):
        with pytest.raises(Transient, match="404"):
            await look


@pytest.mark.parametrize(
    "data", [None, {}, [], "text", {"id": "x", "properties": {}}, {"id": "1"}, {"id": "1", "properties": 3}]
)
async def test_a_200_that_is_no_contact_is_not_an_absence(scripted, remote, data):
    remote.answer(200, data)
    with pytest.raises(Transient):
        await scripted.get("1")


# ---- by e-mail ----


@pytest.mark.parametrize("asked", ["ada@example.com", "ADA@Example.COM", "second@example.org"])
async def test_by_email_finds_primary_and_additional_addresses_in_any_case(sandbox, crm, asked):
    contact = sandbox.add_contact(email="Ada@example.com")
    sandbox.add_email(contact, "Second@example.org")
    assert [c.id for c in await crm.by_email(asked)] == [contact]


async def test_by_email_of_nobody_or_of_an_archived_contact_is_empty(sandbox, crm):
    sandbox.archive(sandbox.add_contact(email="gone@example.com"))
    assert await crm.by_email("gone@example.com") == []
    assert await crm.by_email("nobody@example.com") == []


@pytest.mark.parametrize(
    "odd", ["o'hara+x@example.com", "a/b@example.com", "a%2fb@example.com", "a?b#c@example.com", "é@example.com"]
)
async def test_by_email_survives_every_character_of_an_address(sandbox, crm, odd):
    contact = sandbox.add_contact(email=odd)
    assert [c.id for c in await crm.by_email(odd)] == [contact]


async def test_by_email_does_not_believe_another_persons_record(scripted, remote):
    remote.answer(200, {"id": "1", "properties": {"email": "xada@example.com", "hs_additional_emails": "other@example.com"}})
    with pytest.raises(Transient) as caught:
        await scripted.by_email("ada@example.com")
    assert "@" not in str(caught.value) + caught.value.hint


async def test_by_email_is_fresh_although_the_search_index_lags(sandbox, crm):
    sandbox.faults = Faults(search_lag_seconds=60)
    made = await crm.create(NewCustomer(email="new@example.com", mobile_phone=PHONE), "k")
    assert [c.id for c in await crm.by_email("new@example.com")] == [made.id]
    assert await crm.by_phone(PHONE) == []


# ---- by key ----


async def test_by_key(sandbox, crm):
    contact = sandbox.add_contact(firstname="Ada", **{KEY: "a" * 64})
    assert (await crm.by_key("a" * 64)).id == contact
    assert await crm.by_key("b" * 64) is None


async def test_by_key_does_not_believe_another_key(scripted, remote):
    remote.answer(200, {"id": "1", "properties": {KEY: "other"}})
    with pytest.raises(Transient):
        await scripted.by_key("mine")


# ---- by phone ----


@pytest.mark.parametrize(
    "written",
    [
        "+15145550123",
        "+1 514-555-0123",
        "(514) 555-0123",
        "514.555.0123",
        "1 514 555 0123",
        "5145550123",
        "+1 (514) 555-0123 ext. 7",
        "tel:+1-514-555-0123",
    ],
)
@pytest.mark.parametrize("field", ["phone", "mobilephone"])
async def test_by_phone_finds_every_way_to_write_a_number(sandbox, crm, written, field):
    contact = sandbox.add_contact(firstname="Ada", **{field: written})
    assert [c.id for c in await crm.by_phone(PHONE)] == [contact]


@pytest.mark.parametrize(
    ("searched", "written"),
    [
        ("+442079460123", "+44 20 7946 0123"),
        ("+442079460123", "020 7946 0123"),
        ("+41446681800", "044 668 18 00"),
        ("+390236618300", "02 3661 8300"),
        ("+33123456789", "01 23 45 67 89"),
    ],
)
async def test_by_phone_reads_national_numbers_with_the_searched_country(sandbox, crm, searched, written):
    contact = sandbox.add_contact(firstname="Ada", phone=written)
    assert [c.id for c in await crm.by_phone(searched)] == [contact]


async def test_by_phone_compares_the_country_which_hubspots_index_drops(sandbox, crm):
    canada = sandbox.add_contact(firstname="Ada", phone="+1 514 555 0123")
    sandbox.add_contact(firstname="Bob", phone="+61 514 555 0123")
    sandbox.add_contact(firstname="Eve", phone="+49 5145550123")
    assert [c.id for c in await crm.by_phone(PHONE)] == [canada]


async def test_by_phone_returns_all_who_share_a_number_once_each(sandbox, crm):
    home = sandbox.add_contact(firstname="Ada", phone="514 555 0123", mobilephone="+15145550123")
    other = sandbox.add_contact(firstname="Bob", mobilephone="514-555-0123")
    sandbox.add_contact(firstname="Eve", mobilephone="514-555-0124")
    assert [c.id for c in await crm.by_phone(PHONE)] == [home, other]


async def test_by_phone_reads_further_pages(sandbox, crm):
    decoys = 250
    for number in range(decoys):
        sandbox.add_contact(firstname=f"Decoy {number}", phone="+61 514 555 0123")
    contact = sandbox.add_contact(firstname="Ada", phone=PHONE)
    assert [c.id for c in await crm.by_phone(PHONE)] == [contact]
    assert sandbox.requests["POST contacts/search"] == 3


async def test_by_phone_with_too_many_pages_is_cut_short_and_says_so(sandbox, crm):
    for number in range(501):
        sandbox.add_contact(firstname=f"Twin {number}", phone=PHONE)
    with pytest.raises(Lasting, match="cut short") as caught:
        await crm.by_phone(PHONE)
    assert "More than 500 contacts fit one phone number" in caught.value.hint


async def test_by_phone_that_misses_results_of_its_own_total_is_cut_short(scripted, remote):
    remote.answer(200, {"total": 2, "results": [{"id": "1", "properties": {"phone": PHONE}}]})
    with pytest.raises(Transient, match="cut short"):
        await scripted.by_phone(PHONE)


@pytest.mark.parametrize("data", [{}, {"results": None}, {"results": ["x"]}, [], None, {"results": [{"id": "1"}]}])
async def test_by_phone_with_a_malformed_answer_is_not_an_absence(scripted, remote, data):
    remote.answer(200, data)
    with pytest.raises(Transient):
        await scripted.by_phone(PHONE)


async def test_by_phone_skips_archived_contacts_and_finds_lagging_ones_later(sandbox, crm, clock):
    sandbox.faults = Faults(search_lag_seconds=30)
    old = sandbox.add_contact(firstname="Ada", phone=PHONE, age=3600)
    new = sandbox.add_contact(firstname="Bob", phone=PHONE)
    assert [c.id for c in await crm.by_phone(PHONE)] == [old]
    clock.now += 31
    assert [c.id for c in await crm.by_phone(PHONE)] == [old, new]
    sandbox.archive(old)
    assert [c.id for c in await crm.by_phone(PHONE)] == [new]


async def test_by_phone_of_something_else_is_refused_without_a_call(scripted, remote):
    with pytest.raises(Rejected) as caught:
        await scripted.by_phone("not a number")
    assert "not a number" not in str(caught.value)
    assert remote.asked == []


# ---- a look-up that failed is not "not found" ----


@pytest.mark.parametrize("fault", ["error_500", "error_503", "html", "rate_limit", "lost_answer"])
@pytest.mark.parametrize("look", ["get", "by_email", "by_key", "by_phone"])
async def test_a_failed_look_up_never_reads_as_an_absence(sandbox, crm, fault, look):
    sandbox.faults = Faults(**{fault: 1})
    asked = {"get": "987654321", "by_email": "a@example.com", "by_key": "0123abcd", "by_phone": PHONE}[look]
    with pytest.raises(RemoteError) as caught:
        await getattr(crm, look)(asked)
    assert asked not in str(caught.value) + caught.value.hint


async def test_a_look_up_that_times_out_is_unavailable(sandbox, crm):
    sandbox.faults = Faults(timeout=1, timeout_seconds=0)
    with pytest.raises(Unavailable):
        await crm.by_email("a@example.com")
