"""`connector check --drift` and `connector review undo` as a person types them, with a service running and without."""

from __future__ import annotations

import pytest

from .place import Place

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.operations.waiting.LOOK_AGAIN", 0.05)


def ran(place: Place, *arguments: str) -> tuple[int, str]:
    """A command's exit code and what it printed."""
    result = place.run(*arguments)
    return result.exit_code, result.stdout


def test_drift_is_shown_repaired_and_gone(place: Place) -> None:
    client = place.client(firstName="Ada", lastName="Moreau", email="ada@example.com")
    with place.served():
        place.book(client)
        (customer,) = place.links().values()
        assert ran(place, "check", "--drift", "stores") == (0, "1 link of stores compared: no differences.\n")
        survivor = place.there(place.sides.hubspot.merge, place.contact(email="b@example.com"), customer)

        code, out = ran(place, "check", "--drift", "stores")
        assert code == 1
        assert out.splitlines() == [
            f"client {client} → customer {customer}: HubSpot has merged customer {customer} into {survivor}",
            f"         → with --fix: {survivor} is linked and written back",
            "1 link of stores compared: 1 difference.",
        ]
        found = place.json("check", "--drift", "stores", "--sample", "5", "--fix")
        assert list(found) == ["source", "busy", "findings", "links", "fix"]
        (finding,) = found["findings"]
        assert (finding["problem"], finding["result"], finding["other"]) == ("customer_merged", "fixed", survivor)
        assert place.links() == {client: survivor}

    place.there(place.sides.booxi.state.links.pop, (client, "hubspot"))
    code, out = ran(place, "check", "--drift", "stores")
    assert (code, out.splitlines()[1]) == (1, f"         → with --fix: {survivor} is written again")
    assert place.links() == {}
    code, out = ran(place, "check", "--drift", "stores", "--fix")
    assert (code, out.splitlines()[1]) == (0, f"         → repaired: {survivor} is written again")
    assert place.links() == {client: survivor}


def test_what_is_left_to_a_person_says_where(place: Place) -> None:
    client = place.client(firstName="Ada", lastName="Moreau", email="ada@example.com")
    with place.served():
        place.book(client)
        other = place.contact(email="b@example.com")
        place.there(place.sides.booxi.set_link, client, other)
        code, out = ran(place, "check", "--drift", "stores", "--fix")
        assert code == 1
        assert out.splitlines()[1] == "         → waits for a person: a review is opened for it (`connector review show 1`)"
        assert [item["client_ids"] for item in place.json("review", "list")] == [[str(client)]]
        assert ran(place, "review", "link", "1", other)[0] == 0
        place.settle()
        assert place.rows("SELECT DISTINCT state FROM events") == [("done",)]
        assert ran(place, "check", "--drift", "stores")[0] == 0


def test_a_decision_is_taken_back_on_the_command_line(place: Place) -> None:
    place.contact(firstname="Grace", lastname="Hopper", mobilephone="+15145550104")
    clients = [place.client(firstName="Dan", lastName="Lee", mobilePhoneNumber="514-555-0104") for _ in range(2)]
    with place.served():
        for client in clients:
            place.book(client)
        (item,) = place.json("review", "list")
        assert list(item) == ["id", "source", "client_ids", "reason", "since", "candidates"]
        assert item["client_ids"] == [str(client) for client in clients]
        assert ran(place, "review", "undo", "1")[0] == 1, "nothing is decided yet"
        assert ran(place, "review", "dismiss", "1")[0] == 0
        code, out = ran(place, "review", "undo", "1")
        assert (code, len(out.splitlines())) == (0, 3)
        assert out.splitlines()[0] == "Review 1: the decision is undone and the review is open again."
        assert "dismiss, undone by" in ran(place, "review", "show", "1")[1]
        assert place.json("review", "list") == [item]


def test_clients_of_one_customer_with_other_names_are_listed(place: Place) -> None:
    one, two = (place.client(firstName="Ada", lastName="Moreau", email="ada@example.com") for _ in range(2))
    with place.served():
        place.book(one)
        place.book(two)
        said = "1 customer with several clients compared: no names differ.\n"
        assert ran(place, "check", "--links", "stores") == (0, said)
        place.there(place.sides.booxi.state.clients[two].update, firstName="Otto")
        customer = place.links()[one]
        code, out = ran(place, "check", "--links", "stores")
        assert code == 1
        assert out.splitlines() == [
            f"client {two} of stores and client {one} of stores → customer {customer}: their names speak against one person",
            "         → waits for a person (`connector review show 1`)",
            "1 customer with several clients compared: 1 pair.",
        ]
        found = place.json("check", "--links", "stores", code=1)
        assert (list(found), found["customers"], found["unread"]) == (["source", "customers", "unread", "pairs"], 1, 0)
        assert [pair["review"] for pair in found["pairs"]] == [1]


def test_wrong_usage(place: Place) -> None:
    with place.served():
        for arguments in (
            ("--links", "nowhere"),
            ("--links", "stores", "--fix"),
            ("--links", "stores", "--drift", "stores"),
            ("--sample", "3"),
            ("--drift", "nowhere"),
            ("--drift", "stores", "--sample", "0"),
        ):
            assert ran(place, "check", *arguments)[0] == 2
