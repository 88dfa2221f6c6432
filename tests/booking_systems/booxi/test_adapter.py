"""The adapter against the sandbox, and against answers that a sandbox would not give."""

import httpx
import pytest
from msgspec.structs import asdict

from connector.booking_systems.base import ClientLink
from connector.model.errors import AccountPaused, RateLimited, Rejected, Transient, Unavailable, UnknownOutcome
from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.kit.faults import Faults

pytestmark = pytest.mark.anyio

LINK = "/booking/v1/client/5/moduleLink/hubspot"


def answers(*responses):
    """A remote system that gives these answers in turn, and remembers the requests."""
    queue = list(responses)

    def handle(request):
        handle.requests.append(request)
        answer = queue.pop(0)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    handle.requests = []
    return handle


def refusal(status, **body):
    return httpx.Response(status, json={"message": "secret words about ada@example.org", "code": 17, **body})


@pytest.fixture
def ada(sandbox):
    return str(
        sandbox.add_client(firstName="Ada", lastName="Example", email="ada@example.org", mobilePhoneNumber="+15145550101")
    )


async def test_client(sandbox, connect, ada):
    client = await connect(sandbox).client(ada)
    assert asdict(client) == {
        "id": ada,
        "first_name": "Ada",
        "last_name": "Example",
        "email": "ada@example.org",
        "mobile_phone": "+15145550101",
        "home_phone": "",
    }


async def test_client_that_is_not_there(sandbox, connect):
    assert await connect(sandbox).client("99") is None


async def test_the_key_and_the_path(connect):
    remote_system = answers(refusal(404))
    assert await connect(remote_system, module_id="a/b ü").client("5/../6") is None
    (request,) = remote_system.requests
    assert request.url.raw_path == b"/booking/v1/client/5%2F..%2F6"
    assert request.headers["booxi-partnerkey"] == "sandbox-partner-key"


async def test_the_module_is_encoded_in_the_path(connect):
    remote_system = answers({"link": None})
    await connect(remote_system, module_id="a/b ü").read_link("5")
    assert remote_system.requests[0].url.raw_path == b"/booking/v1/client/5/moduleLink/a%2Fb%20%C3%BC"


@pytest.mark.parametrize("status", [200, 301, 302, 400, 403, 404, 409, 410, 422])
async def test_a_merged_client_is_followed_at_any_status(connect, status):
    remote_system = answers(refusal(status, newClientId=6), {"id": 6, "email": "ada@example.org"})
    client = await connect(remote_system).client("5")
    assert (client.id, client.email) == ("6", "ada@example.org")
    assert [request.url.path for request in remote_system.requests] == ["/booking/v1/client/5", "/booking/v1/client/6"]


async def test_a_client_merged_twice_needs_a_person(sandbox, connect, ada):
    second, third = sandbox.add_client(), sandbox.add_client()
    sandbox.merge_clients(int(ada), second)
    sandbox.merge_clients(second, third)
    booxi = connect(sandbox)
    for action in (booxi.client(ada), booxi.read_link(ada), booxi.write_link(ClientLink(client_id=ada), "77")):
        with pytest.raises(Rejected, match="merged") as caught:
            await action
        assert caught.value.hint
    assert sandbox.links() == {}


@pytest.mark.parametrize("body", [[], {}, {"message": "hello"}, {"id": "x"}, "text", 5])
async def test_a_client_in_an_unexpected_shape_is_not_absent(connect, body):
    with pytest.raises(Transient, match="unexpected shape"):
        await connect(answers(body)).client("5")


# Reading the link.


@pytest.mark.parametrize("absent", ["404", "empty"])
async def test_no_link(connect, absent):
    sandbox = BooxiSandbox(quota=None, absent_link=absent)
    client = str(sandbox.add_client())
    assert await connect(sandbox).read_link(client) == ClientLink(client_id=client)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(204),
        httpx.Response(410, json={"message": "gone"}),
        {},
        {"link": None},
        {"link": {}},
        {"client": {"id": 5}},
        {"link": {"externalId": ""}},
        {"link": {"externalId": None, "metadata": None}},
        {"link": {"externalId": "  "}},
    ],
)
async def test_every_reading_of_no_link(connect, answer):
    assert await connect(answers(answer)).read_link("5") == ClientLink(client_id="5")


@pytest.mark.parametrize(
    "answer",
    [
        [],
        "x",
        {"message": "hello"},
        {"link": "x"},
        {"link": [1]},
        {"link": {"externalId": True}},
        {"link": {"externalId": {"id": 1}}},
        {"link": {"externalId": "x" * 2000}},
        {"link": {"externalId": "77", "metadata": ["x"]}},
    ],
)
async def test_what_cannot_be_read_is_not_no_link(connect, answer):
    with pytest.raises(Transient, match="unexpected shape"):
        await connect(answers(answer)).read_link("5")


async def test_a_link_with_metadata(sandbox, connect, ada):
    sandbox.set_link(int(ada), "77", metadata={"loyaltyTier": "gold"})
    link = await connect(sandbox).read_link(ada)
    assert link == ClientLink(client_id=ada, customer_id="77", metadata={"loyaltyTier": "gold"})


async def test_a_customer_id_given_as_a_number(connect):
    assert (await connect(answers({"link": {"externalId": 77}})).read_link("5")).customer_id == "77"


async def test_the_link_of_a_merged_client_is_the_survivors(sandbox, connect, ada):
    survivor = sandbox.add_client()
    sandbox.set_link(survivor, "78")
    sandbox.merge_clients(int(ada), survivor)
    assert await connect(sandbox).read_link(ada) == ClientLink(client_id=str(survivor), customer_id="78")


# Writing the link.


async def test_write_keeps_foreign_metadata(sandbox, connect, ada):
    sandbox.set_link(int(ada), "76", metadata={"loyaltyTier": "gold"})
    booxi = connect(sandbox)
    written = await booxi.write_link(await booxi.read_link(ada), "77")
    assert written == ClientLink(client_id=ada, customer_id="77", metadata={"loyaltyTier": "gold"})
    stored = sandbox.state.links[int(ada), "hubspot"]
    assert (stored["externalId"], stored["metadata"]) == ("77", {"loyaltyTier": "gold"})


@pytest.mark.parametrize(("metadata", "body"), [(None, b'{"externalId":"77"}'), ({}, b'{"externalId":"77","metadata":{}}')])
async def test_what_is_sent(connect, metadata, body):
    remote_system = answers({"link": {"externalId": "77"}})
    await connect(remote_system).write_link(ClientLink(client_id="5", metadata=metadata), "77")
    (request,) = remote_system.requests
    assert (request.method, request.url.path, request.content) == ("PUT", LINK, body)


async def test_an_answer_that_confirms_nothing_is_read_back(connect):
    sandbox = BooxiSandbox(quota=None, put_answer="nothing")
    client = str(sandbox.add_client())
    written = await connect(sandbox).write_link(ClientLink(client_id=client), "77")
    assert written.customer_id == "77"
    assert sandbox.requests["GET /client/{clientId}/moduleLink/{moduleId}"] == 1


@pytest.mark.parametrize("stored", [{"link": None}, {"link": {"externalId": "other"}}, httpx.Response(404)])
async def test_a_link_that_reads_back_otherwise_is_no_success(connect, stored):
    with pytest.raises(Transient, match="read back"):
        await connect(answers({"link": {"externalId": "old"}}, stored)).write_link(ClientLink(client_id="5"), "77")


async def test_an_external_id_which_booxi_refuses(sandbox, connect, ada):
    with pytest.raises(Rejected, match="InvalidExternalId") as caught:
        await connect(sandbox).write_link(ClientLink(client_id=ada), "x" * 300)
    assert caught.value.hint
    assert sandbox.links() == {}


async def test_writing_for_a_client_that_is_gone(sandbox, connect):
    with pytest.raises(Rejected, match="404") as caught:
        await connect(sandbox).write_link(ClientLink(client_id="99"), "77")
    assert "module_id" in caught.value.hint


@pytest.mark.parametrize("status", [200, 307, 400, 404, 409])
async def test_a_client_merged_before_the_write_is_followed(connect, status):
    sandbox = BooxiSandbox(quota=None, merged_status=status)
    loser, survivor = sandbox.add_client(), sandbox.add_client()
    sandbox.state.links[survivor, "hubspot"] = {"externalId": "", "metadata": {"kept": "yes"}}
    sandbox.merge_clients(loser, survivor)
    written = await connect(sandbox).write_link(ClientLink(client_id=str(loser), metadata={"losers": "own"}), "77")
    assert written == ClientLink(client_id=str(survivor), customer_id="77", metadata={"kept": "yes"})
    assert sandbox.links() == {survivor: "77"}


async def test_a_survivor_with_another_customer_is_left_alone(sandbox, connect, ada):
    survivor = sandbox.add_client()
    sandbox.set_link(survivor, "78")
    sandbox.merge_clients(int(ada), survivor)
    with pytest.raises(Transient, match="another customer id"):
        await connect(sandbox).write_link(ClientLink(client_id=ada), "77")
    assert sandbox.links() == {survivor: "78"}


async def test_a_survivor_that_has_the_customer_already_is_not_written(sandbox, connect, ada):
    survivor = sandbox.add_client()
    sandbox.set_link(survivor, "77")
    sandbox.merge_clients(int(ada), survivor)
    assert (await connect(sandbox).write_link(ClientLink(client_id=ada), "77")).client_id == str(survivor)
    assert sandbox.requests["PUT /client/{clientId}/moduleLink/{moduleId}"] == 1


async def test_a_survivor_merged_between_read_and_write(connect):
    remote_system = answers(refusal(409, newClientId=6), {"link": None}, refusal(409, newClientId=7))
    with pytest.raises(Rejected, match="merged"):
        await connect(remote_system).write_link(ClientLink(client_id="5"), "77")


# Problem.


async def test_a_lost_answer_to_a_write_is_an_unknown_outcome(sandbox, connect, ada):
    booxi = connect(sandbox)
    sandbox.faults = Faults(lost_answer=1)
    with pytest.raises(UnknownOutcome):
        await booxi.write_link(ClientLink(client_id=ada), "77")
    sandbox.faults = Faults()
    assert (await booxi.read_link(ada)).customer_id == "77"
    assert sandbox.requests["PUT /client/{clientId}/moduleLink/{moduleId}"] == 1


async def test_down(sandbox, connect, ada):
    sandbox.faults = Faults(down=True)
    with pytest.raises(Unavailable):
        await connect(sandbox).read_link(ada)


async def test_a_refused_key_pauses_the_account(sandbox, connect, ada):
    booxi = connect(sandbox, partner_key="another-key")
    with pytest.raises(AccountPaused) as caught:
        await booxi.read_link(ada)
    assert "booking.stores" in caught.value.hint
    with pytest.raises(AccountPaused):
        await booxi.probe()


async def test_a_403_for_one_client_does_not_pause_the_account(sandbox, connect, ada):
    booxi = connect(sandbox, module_id="not-authorised")
    with pytest.raises(Rejected, match="403") as caught:
        await booxi.read_link(ada)
    assert "authorise" in caught.value.hint
    assert booxi.remote.breaker.error is None


async def test_a_403_for_everything_pauses_the_account(connect):
    booxi = connect(answers(refusal(403), refusal(403)))
    with pytest.raises(AccountPaused):
        await booxi.read_link("5")
    assert booxi.remote.breaker.error is not None


async def test_a_firewalls_page_is_not_booxis_word(connect):
    page = httpx.Response(403, html="<title>Sorry</title>")
    with pytest.raises(Transient, match="not JSON"):
        await connect(answers(page, {"items": [], "total": 0})).read_link("5")


async def test_a_400_names_its_code_and_no_words(connect):
    with pytest.raises(Rejected, match="answered 400, code 17") as caught:
        await connect(answers(refusal(400))).write_link(ClientLink(client_id="5"), "77")
    assert "ada" not in f"{caught.value}{caught.value.hint}"


async def test_too_many_calls_asks_for_patience(connect):
    remote_system = answers(httpx.Response(429, json={"newClientId": 6}, headers={"retry-after": "7"}))
    with pytest.raises(RateLimited) as caught:
        await connect(remote_system).read_link("5")
    assert caught.value.retry_after == 7


# Quota.


async def test_a_400_costs_two(connect):
    booxi = connect(answers(refusal(400), {"link": None}), limits={"per_second": 50, "per_minute": 300})
    with pytest.raises(Rejected):
        await booxi.write_link(ClientLink(client_id="5"), "77")
    assert booxi.remote.quota.used(60) == 2
    await booxi.read_link("5")
    assert booxi.remote.quota.used(60) == 3


async def test_the_remote_system_never_counts_too_many(connect):
    sandbox = BooxiSandbox(quota=(5, 300), merged_status=400)
    loser, survivor = sandbox.add_client(), sandbox.add_client()
    sandbox.merge_clients(loser, survivor)
    booxi = connect(sandbox, limits={})
    for _ in range(3):
        await booxi.read_link(str(loser))  # costs three: a 400 and the survivor's 404
    assert sandbox.meter.throttled == 0
    assert sandbox.statuses == {400: 3, 404: 3}


# Checks.


async def test_probe_is_one_cheap_call(sandbox, connect):
    await connect(sandbox).probe()
    assert sandbox.requests == {"GET /merchant/list": 1}


async def test_checks(sandbox, connect):
    check, writing = await connect(sandbox).checks()
    assert (check.id, check.level, check.hint) == ("booking.stores.merchants", "ok", "")
    assert check.message == "the partner key sees 3 merchants"
    assert (writing.id, writing.level) == ("booking.stores.writing", "ok")
    assert "cannot be checked without writing" in writing.message


async def test_checks_warn_when_no_merchant_is_visible(connect):
    check, _ = await connect(BooxiSandbox(quota=None, merchants=0)).checks()
    assert check.level == "warning"
    assert check.hint


def test_sources_with_one_key_share_one_quota(minimal):
    from connector.booking_systems.booxi.adapter import Booxi
    from connector.booking_systems.booxi.settings import BooxiSettings
    from connector.remote.rate_limit import Quota

    asked = []

    def quota_for(key, windows):
        asked.append((key, tuple(windows)))
        return Quota(key, windows)

    for source in ("one", "two"):
        Booxi.connect(source, BooxiSettings.model_validate(minimal | {"limits": {}}), quota_for)
    assert asked[0] == asked[1]
    assert [tuple(window) for window in asked[0][1]] == [(5, 1.0), (300, 60.0)]


async def test_a_link_that_names_another_client_is_the_survivors(connect):
    remote_system = answers({"link": {"clientId": 6, "externalId": "77"}}, {"link": {"clientId": "6", "externalId": "77"}})
    booxi = connect(remote_system)
    expected = ClientLink(client_id="6", customer_id="77")
    assert await booxi.read_link("5") == expected
    assert await booxi.write_link(ClientLink(client_id="5"), "77") == expected
