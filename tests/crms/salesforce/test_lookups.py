"""Look-ups: an answer of None or [] means answered and empty; anything else raises."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.crms.salesforce import mapping, soql
from connector.model.errors import AccountPaused, Lasting, Rejected, Transient
from connector.model.persons import NewCustomer
from connector.sandbox.salesforce.app import Rules
from connector.sandbox.salesforce.soql import _tokens, _unescaped

pytestmark = pytest.mark.anyio
KEY = "Connector_Key__c"
PHONE = "+15145550123"
CONTACT15, CONTACT18 = "0035g00000ABcDe", "0035g00000ABcDeAAL"


def asked(request) -> str:
    """The query of a request."""
    (query,) = parse_qs(urlsplit(str(request.url)).query)["q"]
    return query


# ---- by id ----


async def test_get_reads_all_we_compare(sandbox, crm):
    contact = sandbox.add_contact(
        Email="Ada@example.com", FirstName="Ada", LastName="Byron", MobilePhone="+1 514 555 0123", Phone="555", **{KEY: "k1"}
    )
    found = await crm.get(contact)
    assert found.created_at == found.active_at is not None
    assert found.model_dump(exclude={"created_at", "active_at"}) == {
        "id": contact,
        "first_name": "Ada",
        "last_name": "Byron",
        "emails": ("Ada@example.com",),
        "mobile_phone": "+1 514 555 0123",
        "phone": "555",
        "person_key": "k1",
    }


async def test_a_last_name_that_only_stands_in_for_none_is_none(sandbox, crm):
    assert (await crm.get(sandbox.add_contact(FirstName="Ada"))).last_name == ""


def test_an_id_of_15_letters_is_made_whole_and_one_of_18_is_checked():
    # The last three letters say which of the others are capitals: bits from the right, five by five.
    # Salesforce's pages show this pair.
    assert mapping.whole_id("001D000000IqhSL", "001") == "001D000000IqhSLIAZ"
    assert mapping.whole_id(CONTACT15) == CONTACT18
    assert mapping.whole_id(CONTACT18) == CONTACT18
    assert mapping.whole_id(CONTACT18[:-1] + "A") is None
    for other in ("0015g00000ABcDe", "003", "<unknown>", "0035g00000ABcD!", None, 3, "003" + "é" * 12, CONTACT15 + "\n"):
        assert mapping.whole_id(other) is None


async def test_an_id_of_15_letters_finds_the_contact(sandbox, crm):
    contact = sandbox.add_contact(LastName="Byron")
    assert (await crm.get(contact[:15])).id == contact


async def test_get_follows_a_merge_and_a_merge_of_a_merge(sandbox, crm):
    first, second, third = (sandbox.add_contact(Email=f"{n}@example.com", **{KEY: n}) for n in "abc")
    sandbox.merge(second, first)
    assert (await crm.get(first)).id == second
    sandbox.merge(third, second)
    assert (await crm.get(first)).id == third
    assert [c.id for c in await crm.by_email("a@example.com")] == []


async def test_merges_that_go_round_in_circles_are_no_answer(scripted, remote):
    remote.rows({"Id": CONTACT18, "IsDeleted": True, "MasterRecordId": CONTACT18})
    with pytest.raises(Transient, match="merges"):
        await scripted.get(CONTACT18)


async def test_an_answer_with_another_contact_is_not_believed(scripted, remote):
    remote.rows({"Id": "0035g00000ABcDfAAL", "IsDeleted": False})
    with pytest.raises(Transient):
        await scripted.get(CONTACT18)


# ---- by our key ----


async def test_a_key_that_went_with_the_loser_of_a_merge_leads_to_the_survivor(sandbox, crm):
    loser = sandbox.add_contact(LastName="Byron", **{KEY: "aa"})
    survivor = sandbox.add_contact(LastName="Byron", **{KEY: "bb"})
    sandbox.merge(survivor, loser)
    assert (await crm.by_key("aa")).id == survivor
    assert (await crm.by_key("bb")).id == survivor


async def test_where_the_loser_of_a_merge_lost_its_key_too_nobody_has_it(sandbox, crm):
    sandbox.records.rules = Rules(merged_keeps_key=False)
    loser, survivor = sandbox.add_contact(**{KEY: "aa"}), sandbox.add_contact()
    sandbox.merge(survivor, loser)
    assert await crm.by_key("aa") is None


async def test_of_a_deleted_and_a_live_contact_with_one_key_the_live_one_counts(sandbox, crm):
    sandbox.delete_contact(sandbox.add_contact(**{KEY: "aa"}))
    live = sandbox.add_contact(**{KEY: "aa"})
    assert (await crm.by_key("aa")).id == live


async def test_an_answer_with_another_key_is_not_believed(scripted, remote):
    remote.rows({"Id": CONTACT18, KEY: "other"})
    with pytest.raises(Transient):
        await scripted.by_key("aa")


# ---- by e-mail ----


async def test_by_email_finds_everybody_with_it_without_regard_to_case(sandbox, crm):
    both = {sandbox.add_contact(Email="Ada@Example.com"), sandbox.add_contact(Email="ada@example.com")}
    assert {c.id for c in await crm.by_email("ada@example.com")} == both


async def test_by_email_asks_for_an_international_domain_in_both_spellings(sandbox, crm):
    typed = sandbox.add_contact(Email="ada@bücher.example")
    assert [c.id for c in await crm.by_email("ada@xn--bcher-kva.example")] == [typed]


async def test_an_answer_with_another_address_is_not_believed(scripted, remote):
    remote.rows({"Id": CONTACT18, "Email": "xada@example.com"})
    with pytest.raises(Transient):
        await scripted.by_email("ada@example.com")


async def test_nothing_is_asked_about_an_empty_address(scripted, remote):
    assert await scripted.by_email("") == []
    assert remote.asked == []


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("ada@example.com", "'ada@example.com'"),
        ("o'hara@example.com", r"'o\'hara@example.com'"),
        ("\\' OR Email != '", r"'\\\' OR Email != \''"),
        ("a\nb", r"'a\nb'"),
        ('"', r"'\"'"),
    ],
)
def test_a_value_cannot_become_part_of_the_query(value, quoted):
    assert soql.literal(value) == quoted


@given(st.text())
def test_whatever_is_quoted_is_one_value_and_reads_as_itself(text):
    (token,) = _tokens(soql.literal(text))
    assert _unescaped(token[1:-1]) == text


@pytest.mark.parametrize("email", ["x' OR LastName != '", "x\\", "x\\' OR Id != null", "'; DELETE"])
async def test_an_address_with_quotes_finds_nobody(sandbox, crm, email):
    sandbox.add_contact(Email="ada@example.com")
    assert await crm.by_email(email) == []


# ---- by phone ----


@pytest.mark.parametrize(
    "typed", ["+15145550123", "(514) 555-0123", "514.555.0123", "1-514-555-0123", "+1 514 555 0123 x12", "5145550123"]
)
@pytest.mark.parametrize("field", ["Phone", "MobilePhone", "HomePhone", "OtherPhone"])
async def test_by_phone_reads_a_number_however_it_was_typed_wherever_it_stands(sandbox, crm, typed, field):
    contact = sandbox.add_contact(**{field: typed})
    assert [c.id for c in await crm.by_phone(PHONE)] == [contact]


@pytest.mark.parametrize("typed", ["(514) 555-01234", "+33 514 555 0123", "514 555 0124", "5514 555 0123 9"])
async def test_similar_numbers_are_not_equal(sandbox, crm, typed):
    sandbox.add_contact(Phone=typed)
    assert await crm.by_phone(PHONE) == []


async def test_a_national_number_is_read_with_the_searched_country(sandbox, crm):
    swiss = sandbox.add_contact(Phone="079 555 01 23")
    assert [c.id for c in await crm.by_phone("+41795550123")] == [swiss]


async def test_a_number_without_a_country_cannot_be_asked_for(scripted):
    with pytest.raises(Rejected):
        await scripted.by_phone("514 555 0123")


async def test_all_pages_of_an_answer_are_read(sandbox, crm):
    sandbox.records.rules = Rules(page_size=2)
    ids = {sandbox.add_contact(Phone=PHONE) for _ in range(7)}
    assert {c.id for c in await crm.by_phone(PHONE)} == ids
    assert sandbox.requests["GET query/{locator}"] == 3


async def test_an_answer_that_is_cut_short_is_no_answer(sandbox, crm):
    sandbox.records.rules = Rules(page_size=2)
    for _ in range(11):
        sandbox.add_contact(Phone=PHONE)
    with pytest.raises(Lasting, match="cut short"):
        await crm.by_phone(PHONE)
    assert sandbox.requests["GET query/{locator}"] == 4, "five pages are read, and no more"


@pytest.mark.parametrize("url", [None, "", "https://elsewhere.example.com/query/01gAAAAAAAAAAAAAAA-2000/x", "/query/../x-1"])
async def test_only_the_locator_of_a_next_page_is_followed(scripted, remote, url):
    remote.answer(200, {"totalSize": 9, "done": False, "records": [], "nextRecordsUrl": url})
    with pytest.raises(Transient, match="next page"):
        await scripted.by_email("ada@example.com")
    assert len(remote.asked) == 1


@pytest.mark.parametrize("data", [None, [], {}, {"records": None, "done": True}, {"records": ["x"], "done": True}])
async def test_an_answer_of_another_shape_is_no_answer(scripted, remote, data):
    remote.answer(200, data)
    with pytest.raises(Transient):
        await scripted.by_email("ada@example.com")


async def test_an_answer_that_does_not_say_that_it_is_done_is_not_done(scripted, remote):
    remote.answer(200, {"totalSize": 0, "records": []})
    with pytest.raises(Transient):
        await scripted.by_email("ada@example.com")


async def test_a_row_that_is_no_contact_is_no_answer(scripted, remote):
    remote.rows({"Id": "0015g00000ABcDeAAL", "Email": "ada@example.com"})
    with pytest.raises(Transient):
        await scripted.by_email("ada@example.com")


async def test_nothing_is_ever_asked_of_the_search_index(sandbox, crm, wire):
    contact = sandbox.add_contact(Phone=PHONE, Email="ada@example.com")
    await crm.get(contact)
    await crm.by_key("aa")
    await crm.by_email("ada@example.com")
    await crm.by_phone(PHONE)
    await crm.create(NewCustomer(email="grace@example.com"), "bb")
    assert not [call for _, call, _ in wire.seen if "search" in call.lower()]


async def test_a_field_that_our_user_may_not_read_is_named(sandbox, crm):
    sandbox.records.hidden.add("MobilePhone")
    with pytest.raises(AccountPaused) as caught:
        await crm.by_email("ada@example.com")
    assert "MobilePhone" in caught.value.hint


async def test_a_missing_key_field_is_not_nobody(sandbox, crm):
    sandbox.records.custom.clear()
    for read in (crm.by_key("aa"), crm.get(CONTACT18), crm.by_email("ada@example.com")):
        with pytest.raises(AccountPaused) as caught:
            await read
        assert KEY in str(caught.value)
        assert "--fix" in caught.value.hint


async def test_the_recycle_bin_is_asked_by_id_and_key_and_not_otherwise(scripted, remote):
    remote.rows()
    for read in (scripted.get(CONTACT18), scripted.by_key("aa"), scripted.by_email("a@example.com"), scripted.by_phone(PHONE)):
        await read
    paths = [request.url.path.rpartition("/")[2] for request in remote.asked]
    assert paths == ["queryAll", "queryAll", "query", "query"]
    assert asked(remote.asked[0]).endswith(f"FROM Contact WHERE Id = '{CONTACT18}'")
