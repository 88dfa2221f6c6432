"""The commands on a live database: through the running service, and without one, with the same outcome."""

from __future__ import annotations

import itertools
import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from .place import Place

EVENT = {
    "id", "source", "event", "type", "client_id", "state", "attempts", "received_at", "updated_at", "reason", "hint", "trace",
}  # fmt: skip
LINK = {"source", "client_id", "crm", "customer_id", "origin", "linked_at", "written_back_at"}
REVIEW = {"id", "source", "client_ids", "reason", "since", "candidates"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
numbers = itertools.count(100)


@pytest.fixture(scope="module", params=["beside a service", "alone"])
def place(request, tmp_path_factory, portal, sides):
    place = Place(tmp_path_factory.mktemp("live"), portal, sides)
    if request.param == "alone":
        yield place
    else:
        with place.served():
            yield place


def new(place, **fields):
    """A client nobody knows, with an e-mail address unless the fields say otherwise."""
    number = next(numbers)
    return place.client(**{"firstName": "Ada", "lastName": "Byron", "email": f"ada-{number}@example.com", **fields})


def ambiguous(place):
    """A client whose phone number belongs to a contact with another name; answers client, contact, review id."""
    number = next(numbers)
    phone = f"+1514555{number + 1000}"
    contact = place.contact(firstname="Dana", lastname="Lewis", mobilephone=phone)
    client = place.client(firstName="Dan", lastName=f"Lee {number}", mobilePhoneNumber=phone)
    place.book(client)
    (review,) = [item["id"] for item in place.json("review", "list") if str(client) in item["client_ids"]]
    return client, contact, str(review)


def test_lists_show_what_the_contract_says(place):
    client = new(place)
    place.book(client)
    (event,) = place.events(client)
    assert set(event) == EVENT
    assert (event["source"], event["client_id"], event["state"]) == ("stores", str(client), "done")
    assert event["type"] == "appointment.created"
    assert MOMENT.fullmatch(event["received_at"])
    assert {"rule", "result", "note"} <= set(event["trace"][0])
    (link,) = [link for link in place.json("links", "list") if link["client_id"] == str(client)]
    assert set(link) == LINK
    assert (link["origin"], link["customer_id"]) == ("created", place.links()[client])
    assert MOMENT.fullmatch(link["written_back_at"])


def test_a_link_that_was_there_was_not_written_back(place):
    client = new(place)
    place.there(place.sides.booxi.set_link, client, place.contact(firstname="Ada", lastname="There"))
    place.book(client)
    (link,) = [link for link in place.json("links", "list") if link["client_id"] == str(client)]
    assert (link["origin"], link["written_back_at"]) == ("delivery", None)


def test_events_are_listed_newest_first_and_can_be_chosen(place):
    client, other = new(place), new(place)
    place.book(client)
    place.book(other)
    place.book(client)
    assert [event["client_id"] for event in place.json("events", "list", "--limit", "3")] == [
        str(client),
        str(other),
        str(client),
    ]
    assert len(place.json("events", "list", "--client", str(client))) == 2
    assert place.json("events", "list", "--state", "discarded", "--client", str(client)) == []
    assert {event["state"] for event in place.json("events", "list", "--state", "done")} == {"done"}


def test_an_event_is_shown_with_its_trace(place):
    client = new(place)
    place.book(client)
    (event,) = place.events(client)
    shown = place.json("events", "show", str(event["id"]))
    assert event.items() <= shown.items()
    text = place.run("events", "show", str(event["id"])).stdout
    for word in ("created", "write_back", "no customer was found, so one was created", event["event"]):
        assert word in text


def test_tables_for_people_hold_the_same(place):
    client = new(place)
    place.book(client)
    assert str(client) in place.run("events", "list").stdout
    assert str(client) in place.run("links", "list").stdout
    assert place.run("events", "list", "--state", "retrying").stdout == "No events.\n"


@contextmanager
def refusing(place):
    """Within the block Booxi knows no module, so whoever books is held."""
    state = place.sides.booxi.state
    modules, state.module_ids = state.module_ids, ()
    try:
        yield
    finally:
        state.module_ids = modules


def test_a_held_event_is_retried(place):
    client = new(place)
    with refusing(place):
        place.book(client)
        (event,) = place.events(client)
        assert event["state"] == "held"
        assert "answered 403" in event["reason"]
        assert event["hint"]
    result = place.run("events", "retry", str(event["id"]))
    assert (result.exit_code, result.stdout) == (0, "1 event queued again.\n")
    place.settle()
    assert place.events(client)[0]["state"] == "done"
    assert client in place.links()


def test_all_held_events_are_retried_or_one_is_discarded(place, monkeypatch):
    monkeypatch.setenv("SUDO_USER", "kim")
    clients = [new(place) for _ in range(3)]
    with refusing(place):
        for client in clients:
            place.book(client)
    (event,) = place.events(clients[0])
    result = place.run("events", "discard", str(event["id"]))
    assert (result.exit_code, result.stdout) == (0, "1 event discarded.\n")
    result = place.run("events", "retry", "--all", "--source", "stores")
    assert result.exit_code == 0
    place.settle()
    assert [place.events(client)[0]["state"] for client in clients] == ["discarded", "done", "done"]
    assert "by kim on the command line" in place.events(clients[0])[0]["reason"]
    assert clients[0] not in place.links()


def test_a_state_alone_says_which_events_are_retried(place):
    client = new(place)
    with refusing(place):
        place.book(client)
    result = place.run("events", "retry", "--state", "ignored")
    assert (result.exit_code, result.stdout) == (0, "0 events queued again.\n")
    result = place.run("events", "retry", "--state", "held")
    assert (result.exit_code, result.stdout) == (0, "1 event queued again.\n")
    place.settle()
    assert place.events(client)[0]["state"] == "done"


def test_what_is_retried_is_narrowed_as_a_list_is(place):
    clients = [new(place) for _ in range(3)]
    with refusing(place):
        for client in clients:
            place.book(client)
    ids = [place.events(client)[0]["id"] for client in clients]
    for options, found in (
        (("--until", "yesterday"), []),
        (("--since", "tomorrow"), []),
        (("--reason", "no such reason"), []),
        (("--customer", "no-such-customer"), []),
        (("--client", clients[1], "--since", "yesterday"), [ids[1]]),
        (("--since", "1h", "--reason", "answered 403", "--source", "stores"), [ids[0], ids[2]]),
    ):
        assert place.json("events", "retry", *options) == {"done": found, "refused": []}, options
        place.settle()
    refused = place.run("events", "retry", "--source", "storse")
    assert (refused.exit_code, "There is no source 'storse'" in refused.stderr) == (2, True)
    assert {place.events(client)[0]["state"] for client in clients} == {"done"}


def test_a_body_is_shown_on_request(place):
    client = new(place)
    place.book(client)
    place.settle()
    (event,) = place.events(client)
    assert "example.com" not in place.run("events", "show", str(event["id"])).stdout
    assert "example.com" in place.run("events", "show", str(event["id"]), "--body").stdout
    assert json.loads(place.json("events", "show", str(event["id"]), "--body")["body"])["id"] == event["event"]


def test_what_cannot_be_retried_or_discarded_is_told_and_is_1(place):
    client = new(place)
    place.book(client)
    (event,) = place.events(client)
    for action, said in (("retry", "queued again"), ("discard", "discarded")):
        result = place.run("events", action, str(event["id"]), "999999")
        assert (result.exit_code, result.stdout) == (1, f"0 events {said}.\n")
        number = event["id"]
        lines = [f"Event {number}: it is done, which is final.", "Event 999999: there is no such event."]
        assert result.stderr.splitlines() == [f"Not {said}:", *lines]
    assert place.events(client)[0]["state"] == "done"


def test_what_was_done_to_events_as_json(place):
    client = new(place)
    with refusing(place):
        place.book(client)
    (event,) = place.events(client)
    assert place.json("events", "retry", str(event["id"])) == {"done": [event["id"]], "refused": []}
    place.settle()
    assert place.json("events", "discard", str(event["id"]), "999999", code=1) == {
        "done": [],
        "refused": [event["id"], 999999],
    }


def test_what_was_decided_as_json_is_the_item(place):
    _, contact, review = ambiguous(place)
    item = place.json("review", "link", review, contact)
    assert item == {**place.json("review", "show", review), "events": item["events"], "clients": item["clients"]}
    assert (item["decision"], item["customer_id"]) == ("link", contact)
    place.settle()
    _, _, review = ambiguous(place)
    assert place.json("review", "dismiss", review)["decision"] == "dismiss"
    assert place.json("review", "undo", review)["decision"] is None
    assert place.json("review", "create", review)["decision"] == "create"
    place.settle()


def test_reviews_are_listed_without_personal_data_unless_asked_for(place):
    client, contact, review = ambiguous(place)
    (item,) = [item for item in place.json("review", "list") if item["id"] == int(review)]
    assert set(item) == REVIEW
    assert (item["source"], item["client_ids"]) == ("stores", [str(client)])
    assert [candidate["customer_id"] for candidate in item["candidates"]] == [contact]
    assert {"same phone", "the name differs"} <= set(item["candidates"][0]["evidence"])
    for words in (
        ("review", "list"),
        ("review", "show", review),
        ("review", "list", "--json"),
        ("review", "show", review, "--json"),
    ):
        assert "Lewis" not in place.run(*words).output
        if words == ("review", "list"):
            continue  # a table has no room for records
        result = place.run(*words, "--reveal")
        assert (result.exit_code, "Lewis" in result.stdout) == (0, True), result.output


def test_review_link(place):
    client, contact, review = ambiguous(place)
    result = place.run("review", "link", review, "424242")
    assert result.exit_code == 1
    assert "HubSpot has no customer 424242. Check the id; nothing was changed." in result.stderr
    result = place.run("review", "link", review, contact)
    assert result.exit_code == 0, result.output
    place.settle()
    assert place.links()[client] == contact
    assert place.events(client)[0]["state"] == "done"
    assert review not in {str(item["id"]) for item in place.json("review", "list")}
    (link,) = [link for link in place.json("links", "list") if link["client_id"] == str(client)]
    assert (link["customer_id"], link["origin"]) == (contact, "review")


def test_review_create(place):
    client, contact, review = ambiguous(place)
    assert place.run("review", "create", review).exit_code == 0
    place.settle()
    assert place.links()[client] not in (None, contact)
    assert place.events(client)[0]["state"] == "done"


def test_review_dismiss(place):
    client, _, review = ambiguous(place)
    assert place.run("review", "dismiss", review).exit_code == 0
    place.settle()
    assert place.events(client)[0]["state"] == "discarded"
    place.book(client)
    assert place.events(client)[0]["state"] == "ignored", "coming ones are ignored"
    assert client not in place.links()


@pytest.mark.parametrize("decision", ["link", "create", "dismiss"])
def test_a_review_is_decided_once_and_must_exist(place, decision):
    _, contact, review = ambiguous(place)
    more = [contact] if decision == "link" else []
    result = place.run("review", decision, "987654", *more)
    assert result.exit_code == 1
    assert "There is no review 987654." in result.stderr
    assert place.run("review", decision, review, *more).exit_code == 0
    place.settle()
    result = place.run("review", decision, review, *more)
    assert result.exit_code == 1
    assert f"Review {review} was decided before" in result.stderr, "also once the decision has been carried out"


def test_check_asks_both_sides(place):
    found = place.json("check")
    assert all(set(check) == {"id", "level", "message", "hint"} for check in found)
    levels = {check["id"]: check["level"] for check in found}
    assert levels["booking.stores.account"] == levels["crm.main.account"] == "ok"
    assert "error" not in levels.values()
    text = place.run("check").stdout
    assert "ok       crm.main.account" in text
    # The keys stand in the file itself.
    assert "warning" in text


def test_backfill_counts_every_client_and_is_json_and_nothing_else(place):
    clients = [new(place) for _ in range(3)]
    noon = datetime(2000, 1, 1, 12, tzinfo=UTC) + timedelta(days=next(numbers))
    for client in clients:
        place.there(place.sides.booxi.book, client, starts_at=noon)
    place.sides.booxi.outbox.waiting.clear()
    asked = ("backfill", "stores", "--since", str(noon.date()), "--until", str(noon.date()))
    simulated = place.json(*asked, "--dry-run")
    assert not set(clients) & place.links().keys()
    counts = place.json(*asked)
    assert list(counts) == [
        "source", "seen", "already_linked", "matched", "created", "written_back", "held", "failed", "skipped", "dry_run",
    ]  # fmt: skip
    assert counts == {
        **dict.fromkeys(counts, 0),
        "source": "stores",
        "seen": 3,
        "created": 3,
        "written_back": 3,
        "dry_run": False,
    }
    assert simulated == {**counts, "dry_run": True}
    assert set(clients) <= place.links().keys()
    text = place.run(*asked, "--dry-run").stdout
    assert "Result for stores (dry run):" in text
    assert "Nothing was changed." in text
    assert "Result for stores:" in place.run(*asked).stdout


def test_a_link_is_removed(place):
    client, contact, review = ambiguous(place)
    place.run("review", "link", review, contact)
    place.settle()
    result = place.run("links", "remove", "stores", str(client))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == f"Client {client} of stores is no longer linked to {contact}."
    assert str(client) not in {link["client_id"] for link in place.json("links", "list")}
    result = place.run("links", "remove", "stores", "4242")
    assert (result.exit_code, result.stderr.startswith("Client 4242 of stores has no link.")) == (1, True)


def test_many_reviews_are_decided_at_once(place):
    """Those that cannot be decided so stop none of the others."""
    people = [ambiguous(place) for _ in range(3)]
    ids = [int(review) for _, _, review in people]
    result = place.run("review", "create", str(ids[0]), "987654", "--json")
    assert (result.exit_code, place.run("review", "create").exit_code) == (1, 2)
    said = json.loads(result.stdout)
    assert (said["done"], [one["id"] for one in said["refused"]]) == ([ids[0]], [987654])
    assert said["refused"][0]["why"].startswith("There is no review 987654.")
    assert place.run("review", "different", "--all").exit_code == 2, "all of what?"
    result = place.run("review", "different", "--all", "--reason", "PHONE NUMBER MATCHES", "--json")
    assert set(json.loads(result.stdout)["done"]) >= set(ids[1:])
    place.settle()
    links = place.links()
    assert all(links[client] not in (None, contact) for client, contact, _ in people)
    result = place.run("review", "shared", str(ids[0]))
    assert (result.exit_code, f"Review {ids[0]} was decided before (create)." in result.stderr) == (1, True)
