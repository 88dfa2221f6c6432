"""The laws of owners (`[sync.owner]`), for every CRM that takes them."""

from collections.abc import AsyncIterator

import httpx
import pytest

from connector import registry
from connector.crms.base import CRM
from connector.model.capabilities import CrmCapability
from connector.model.errors import ActionRefused
from connector.model.fields import FieldValue
from connector.model.persons import Customer, NewCustomer

from .accounts import CrmAccount, account

pytestmark = pytest.mark.anyio
KEY = "a" * 64
ADA = NewCustomer(first_name="Ada", last_name="Byron", email="ada@example.com", mobile_phone="+15145550123")
TAKE_OWNERS = sorted(name for name in registry.CRMS if registry.crm(name).settings_model.owner_field is not None)
KIM, SAM = "kim@example.com", "sam@example.com"
NO_USER = "no active user of the CRM has this e-mail address or id"


@pytest.fixture(params=TAKE_OWNERS)
def far(request: pytest.FixtureRequest) -> CrmAccount:
    return account(request.param)


@pytest.fixture
def kim(far: CrmAccount) -> str:
    return far.add_user(KIM)


@pytest.fixture
def sam(far: CrmAccount) -> str:
    return far.add_user(SAM)


@pytest.fixture
async def crm(far: CrmAccount, kim: str, sam: str) -> AsyncIterator[CRM]:
    adapter = far.connect()
    adapter.keep((), owner=())
    yield adapter
    await adapter.remote.aclose()


class Refusing(httpx.AsyncBaseTransport):
    """The way to the sandbox; refuses the key for what is asked at the path `refused`."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.last = ""
        self.refused: str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.last = request.url.path
        if request.url.path == self.refused:
            return httpx.Response(403, json={})
        return await self.inner.handle_async_request(request)


def chosen(crm: CRM, user: str) -> list[FieldValue]:
    return [FieldValue(crm.owner_field, user, "on_create" if crm.can(CrmCapability.ALWAYS_OWNED) else "if_empty")]


async def made(crm: CRM, user: str) -> Customer:
    changes = await crm.changes(chosen(crm, user))
    assert changes.left_out == {}
    return await crm.create(ADA, KEY, changes.values)


@pytest.mark.parametrize("spelling", [KIM, "Kim@Example.com"])
async def test_a_new_customer_belongs_to_the_user_with_the_address_in_the_same_call(far, crm, kim, spelling):
    found = await made(crm, spelling)
    assert (far.owner(found.id), found.refused, far.effects()) == (kim, (), 1)


async def test_a_user_can_be_named_by_id(far, crm, kim, sam):
    found = await made(crm, sam)
    assert far.owner(found.id) == sam


async def test_an_owner_who_is_there_is_kept(far, crm, kim, sam):
    found = await crm.get((await made(crm, KIM)).id)
    assert (await crm.changes(chosen(crm, SAM), found)).values == {}
    assert (await crm.changes(chosen(crm, KIM), found)).values == {}


async def test_a_customer_without_an_owner_gets_one_later(far, crm, kim):
    found = await crm.get(far.add(NewCustomer(last_name="Byron", email="ada@example.com")))
    before = far.effects()
    changes = await crm.changes(chosen(crm, KIM), found)
    if crm.can(CrmCapability.ALWAYS_OWNED):
        assert changes.values == {}
        return
    assert await crm.fill(found, NewCustomer(mobile_phone=ADA.mobile_phone), changes.values)
    assert (far.owner(found.id), far.effects()) == (kim, before + 1)
    again = await crm.get(found.id)
    assert (await crm.changes(chosen(crm, SAM), again)).values == {}


async def test_whom_nobody_is_leaves_the_customer_without_a_choice(far, crm):
    far.add_user("former@example.com", active=False)
    for user in ("nobody@example.com", "former@example.com"):
        changes = await crm.changes(chosen(crm, user))
        assert (changes.values, changes.left_out) == ({}, {crm.owner_field: NO_USER})


async def test_a_user_who_is_new_is_found(far, crm, kim):
    await crm.changes(chosen(crm, KIM))
    new = far.add_user("new@example.com")
    found = await made(crm, "new@example.com")
    assert far.owner(found.id) == new


async def test_a_refused_owner_is_left_out(far, crm):
    found = await crm.create(ADA, KEY, {crm.owner_field: "999999999"})
    assert found.refused == (crm.owner_field,)
    assert far.customers() == [found.id]


async def test_check_needs_users_to_be_shown(crm):
    assert [check.level for check in await crm.field_checks()] == ["ok"]


async def test_check_counts_the_users_who_are_named_and_not_there(crm, sam):
    crm.keep((), owner=(KIM, sam))
    assert [check.level for check in await crm.field_checks()] == ["ok"]
    crm.keep((), owner=("nobody@example.com",))
    (check,) = await crm.field_checks()
    assert check.message == f"{crm.title}: 1 of the users that [sync.owner] names is no active user there"


async def test_check_says_that_nobody_is_shown(far):
    adapter = account(far.system).connect()
    adapter.keep((), owner=())
    levels = [(check.level, check.message) for check in await adapter.field_checks()]
    assert levels == [("error", f"{adapter.title}: the CRM shows no user who could own a customer")]
    await adapter.remote.aclose()


async def test_users_who_may_not_be_read_stop_the_choice_of_an_owner_and_nothing_else(far, monkeypatch, kim):
    way = Refusing(far.checked(httpx.ASGITransport(far.app)))
    monkeypatch.setattr(far, "checked", lambda _: way)
    crm = far.connect()
    crm.keep((), owner=())
    await crm.users()
    way.refused = way.last
    with pytest.raises(ActionRefused) as caught:
        await crm.changes(chosen(crm, KIM))
    assert caught.value.action == ("list the owners" if far.system == "hubspot" else "list the users")
    way.refused = None
    assert crm.remote.breaker.error is None, "the account itself works"
    assert (await crm.create(ADA, KEY)).id in far.customers()
    await crm.remote.aclose()
