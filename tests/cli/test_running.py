"""What runs until it is stopped, what is stopped while it runs, and who has the database."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from acceptance.world import WEBHOOK_TOKEN

from .place import Place, Process

pytestmark = pytest.mark.slow

BEARER = {"Authorization": "Bearer a-status-token-for-tests"}
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
ASKED = ("backfill", "stores", "--since", "2026-03-01", "--until", "2026-03-31")


@pytest.fixture
def taken():
    """A port that somebody else has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def past(place: Place, number: int) -> list[int]:
    """Clients with a booking in March that nobody was told about."""
    clients = [place.client(firstName="Ada", lastName=f"No {n}", email=f"past-{n}@example.com") for n in range(number)]
    for n, client in enumerate(clients):
        place.there(place.sides.booxi.book, client, starts_at=FIRST + timedelta(hours=n))
    place.sides.booxi.outbox.waiting.clear()
    return clients


# ---- serve ----


def test_serve_on_a_port_that_is_taken(tmp_path, portal, sides, place, taken):
    with Process("serve", "--config", str(Place(tmp_path, portal, sides, port=taken).file)) as process:
        code, out, err = process.ends()
    assert (code, out) == (1, "")
    assert "Address already in use" in err
    assert str(taken) in err
    assert "Stop what listens there, or choose another port." in err
    assert "Traceback" not in err


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70])
def test_serve_on_a_host_that_is_none(tmp_path, portal, sides, host):
    file = Place(tmp_path, portal, sides).file
    text = file.read_text().replace("[server]", f'[server]\nhost = "{host}"')
    file.write_text(text)
    with Process("serve", "--config", str(file)) as process:
        code, out, err = process.ends()
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"{file}: [server] host: is no address of this machine")
    assert "Traceback" not in err


def test_serve_without_a_worker_receives_and_leaves_the_rest(place):
    client = place.client(firstName="Ada", lastName="Byron", email="ada@example.com")
    with place.served("--no-worker") as service:
        place.book(client, settle=False)
        (event,) = place.events(client)
        assert event["state"] == "queued"
        result = place.run(*ASKED)
        assert result.exit_code == 1
        assert "The running service has no worker. Restart it without --no-worker." in result.stderr
        status = httpx.get(f"{service.url}/status.json", headers=BEARER, trust_env=False).json()
        assert status["queue"]["queued"] == 1
        assert [check["id"] for check in status["checks"] if "--no-worker" in check["message"]] == ["worker"]
        assert place.sides.hubspot.contacts() == []
        # What needs no worker works.
        assert place.run("check").exit_code == 0
        assert place.json(*ASKED, "--dry-run")["dry_run"] is True
    with place.served():
        place.settle()
        assert place.events(client)[0]["state"] == "done"


# ---- backfill in a process of its own ----


def slowly(place: Place) -> None:
    """Both sides take their time, and more of it from the first link on: who waits for that one meets a run that goes on."""

    async def slower() -> None:
        while not place.sides.booxi.links():
            await asyncio.sleep(0.005)
        place.sides.faults(latency_ms=(400, 400))

    place.there(place.sides.faults, latency_ms=(40, 60))
    place.portal.start_task_soon(slower)


def test_a_backfill_that_is_interrupted_goes_on(place):
    clients = past(place, 25)
    slowly(place)
    with Process(*ASKED, "--config", str(place.file), "--json") as process:
        place.until(lambda: place.links() != {})
        code, out, err = process.stop(signal.SIGINT)
    assert code == 1
    assert "Run the same command again to continue." in err
    assert "Traceback" not in err
    assert out == ""
    assert len(place.links()) < 25
    assert place.rows("SELECT count(*) FROM events WHERE state = 'running'") == [(0,)]
    place.there(place.sides.faults)
    counts = place.json(*ASKED)
    assert (counts["seen"], counts["created"], counts["written_back"], counts["failed"]) == (25, 25, 25, 0)
    assert set(place.links()) == set(clients)
    assert len(place.sides.hubspot.contacts()) == 25


def test_another_command_has_the_database(place):
    past(place, 30)
    slowly(place)
    with Process(*ASKED, "--config", str(place.file)) as process:
        place.until(lambda: place.links() != {})
        for words in (("check",), ("events", "retry", "--all"), ASKED):
            result = place.run(*words)
            assert (result.exit_code, result.stdout) == (1, "")
            assert "is in use by another connector command. Wait until that command has ended." in result.stderr
        # Looking is always possible.
        assert len(place.json("links", "list")) > 0
        process.stop(signal.SIGINT)


def test_a_backfill_without_a_terminal_prints_plain_lines_on_stderr(place):
    past(place, 2)
    result = place.run(*ASKED, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["seen"] == 2
    assert "clients" in result.stderr
    assert "\x1b" not in result.output


def test_a_backfill_with_failures_is_1_and_names_the_way_on(place):
    (client,) = past(place, 1)
    # Booxi refuses to be followed more than once.
    one, two = place.client(firstName="Ada"), place.client(firstName="Ada")
    place.there(place.sides.booxi.merge_clients, client, one)
    place.there(place.sides.booxi.merge_clients, one, two)
    (booking,) = place.sides.booxi.state.bookings.values()
    booking["client"]["id"] = client
    result = place.run(*ASKED)
    assert result.exit_code == 1
    assert "failed" in result.stdout
    assert "`connector events list --state held` says what waits, and why." in result.stdout
    counts = place.json(*ASKED, "--dry-run", code=1)
    assert (counts["seen"], counts["failed"]) == (1, 1)


def test_held_clients_are_no_failure(place):
    place.contact(firstname="Dana", lastname="Lewis", mobilephone="+15145550104")
    client = place.client(firstName="Dan", lastName="Lee", mobilePhoneNumber="+15145550104")
    place.there(place.sides.booxi.book, client, starts_at=FIRST)
    place.sides.booxi.outbox.waiting.clear()
    assert place.json(*ASKED, code=0)["held"] == 1


@pytest.mark.parametrize("side", ["partner_key", "hubspot_token"])
def test_a_refused_key_ends_a_backfill_with_1(tmp_path, portal, sides, place, side):
    past(place, 2)
    other = Place(tmp_path, portal, sides, **{side: "wrong"})
    result = other.run(*ASKED)
    assert result.exit_code == 1
    assert "Stopped early: " in result.stderr
    assert "answered 401" in result.stderr
    assert "Run the same command again to continue." in result.stderr
    fixed = Place(tmp_path, portal, sides)
    assert fixed.json(*ASKED)["created"] == 2


def test_a_service_that_is_stopped_meanwhile_is_told_and_goes_on_by_itself(place):
    clients = past(place, 25)
    slowly(place)
    with place.served() as service, Process(*ASKED, "--config", str(place.file)) as process:
        place.until(lambda: place.links() != {})
        place.portal.call(service.stop)
        code, _, err = process.ends()
        assert code == 1
        assert "The running service did not answer" in err
    place.there(place.sides.faults)
    with place.served():
        place.until(lambda: set(place.links()) == set(clients))


# ---- sandbox ----


@pytest.mark.parametrize(("system", "number"), [("booxi", signal.SIGTERM), ("hubspot", signal.SIGINT)])
def test_a_sandbox_says_where_it_is_and_ends_when_told(system, number):
    with Process("sandbox", system) as process:
        url, key = process.line().split()[-1], process.line().split()[-1]
        headers = {"Booxi-PartnerKey": key, "Authorization": f"Bearer {key}"}
        path = "/merchant/list" if system == "booxi" else "/crm/properties/2026-09/contacts/email"
        assert httpx.get(url + path, headers=headers, trust_env=False).status_code == 200
        code, _, err = process.stop(number)
    assert (code, err) == (0, "")


def test_a_sandbox_misbehaves_as_its_file_says(tmp_path):
    file = tmp_path / "faults.toml"
    file.write_text("down = true\n")
    with Process("sandbox", "hubspot", "--faults", str(file)) as process:
        url = process.line().split()[-1]
        assert httpx.get(url, trust_env=False).status_code == 503
        assert process.stop()[0] == 0


def test_a_sandbox_on_a_port_that_is_taken(taken):
    with Process("sandbox", "booxi", "--port", str(taken)) as process:
        code, _, err = process.ends()
    assert code == 1
    assert "Address already in use" in err


# ---- the way in for commands ----


def test_nobody_else_can_tell_the_service_what_to_do(place):
    with place.served() as service:
        url = f"{service.url}/-/operations/retry"
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {WEBHOOK_TOKEN}"}):
            assert httpx.post(url, json={}, headers=headers, trust_env=False).status_code == 404
        assert (place.folder / "connector.db.lock").stat().st_mode & 0o077 == 0
        token = json.loads((place.folder / "connector.db.lock").read_text())["token"]
        proof = {"Authorization": f"Bearer {token}"}
        for path, body in (("nonsense", {}), ("retry", {"nonsense": 1}), ("retry", [1]), ("discard", {})):
            answer = httpx.post(f"{service.url}/-/operations/{path}", json=body, headers=proof, trust_env=False)
            assert answer.status_code == 400
        assert httpx.post(url, content=b"{", headers=proof, trust_env=False).status_code == 400
        assert httpx.get(url, headers=proof, trust_env=False).status_code in (404, 405)
        assert token not in "\n".join(service.text)
