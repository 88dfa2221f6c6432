"""`connector check --drift` and `connector review undo` as a person types them, with a service running and without."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from acceptance.world import RemoteSystems, Service, run

pytestmark = pytest.mark.anyio


class Desk:
    """Both remote systems, one service, and the commands beside it."""

    def __init__(self, sides: RemoteSystems, file: Path) -> None:
        self.sides = sides
        self.file = file
        self.service = Service(file)

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        return await run(*arguments, "--config", str(self.file))

    async def book(self, client: int) -> None:
        """A client books, and is decided about."""
        number = sum("event" in line and str(line["event"]).startswith("event ") for line in self.service.lines)
        self.sides.booxi.book(client)
        await self.sides.booxi.send_webhooks()
        await self.service.until(
            lambda: sum(str(line.get("event", "")).startswith("event ") for line in self.service.lines) > number
        )


@pytest.fixture
async def desk(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with RemoteSystems() as sides:
        made = Desk(sides, sides.config(tmp_path))
        async with made.service.running():
            sides.send_to(made.service.url)
            yield made


async def test_drift_is_shown_repaired_and_gone(desk: Desk) -> None:
    client = desk.sides.booxi.add_client(firstName="Ada", lastName="Moreau", email="ada@example.com")
    await desk.book(client)
    (customer,) = desk.sides.booxi.links().values()
    assert (await desk.command("check", "--drift", "stores"))[:2] == (0, "1 link of stores compared: nothing disagrees.\n")
    survivor = desk.sides.hubspot.merge(desk.sides.hubspot.add_contact(email="b@example.com"), customer)

    code, out, _ = await desk.command("check", "--drift", "stores")
    assert code == 1
    assert out.splitlines() == [
        f"client {client} → customer {customer}: HubSpot has merged customer {customer} into {survivor}",
        f"         → with --fix: {survivor} is linked and written back",
        "1 link of stores compared: 1 disagreement.",
    ]
    code, out, err = await desk.command("check", "--drift", "stores", "--sample", "5", "--fix", "--json")
    found = json.loads(out)
    assert (code, list(found)) == (0, ["source", "busy", "findings", "links", "fix"]), err
    (finding,) = found["findings"]
    assert (finding["problem"], finding["result"], finding["other"]) == ("customer_merged", "fixed", survivor)
    assert desk.sides.booxi.links() == {client: survivor}

    await desk.service.stop()
    del desk.sides.booxi.state.links[client, "hubspot"]
    code, out, _ = await desk.command("check", "--drift", "stores")
    assert (code, out.splitlines()[1]) == (1, f"         → with --fix: {survivor} is written again")
    assert desk.sides.booxi.links() == {}
    code, out, err = await desk.command("check", "--drift", "stores", "--fix")
    assert (code, out.splitlines()[1]) == (0, f"         → repaired: {survivor} is written again"), err
    assert desk.sides.booxi.links() == {client: survivor}


async def test_what_is_left_to_a_person_says_where(desk: Desk) -> None:
    client = desk.sides.booxi.add_client(firstName="Ada", lastName="Moreau", email="ada@example.com")
    await desk.book(client)
    other = desk.sides.hubspot.add_contact(email="b@example.com")
    desk.sides.booxi.set_link(client, other)
    code, out, _ = await desk.command("check", "--drift", "stores", "--fix")
    assert code == 1
    assert out.splitlines()[1] == "         → waits for a person: whose it is becomes a review item (`connector review show 1`)"
    code, out, _ = await desk.command("review", "list", "--json")
    assert (code, [item["client_ids"] for item in json.loads(out)]) == (0, [[str(client)]])
    assert (await desk.command("review", "link", "1", other))[0] == 0
    await desk.service.until(lambda: sum(line.get("event") == "event done" for line in desk.service.lines) == 2)
    assert (await desk.command("check", "--drift", "stores"))[0] == 0


async def test_a_decision_is_taken_back_on_the_command_line(desk: Desk) -> None:
    desk.sides.hubspot.add_contact(age=3600, firstname="Grace", lastname="Hopper", mobilephone="+15145550104")
    clients = [desk.sides.booxi.add_client(firstName="Dan", lastName="Lee", mobilePhoneNumber="514-555-0104") for _ in range(2)]
    for client in clients:
        await desk.book(client)
    code, out, _ = await desk.command("review", "list", "--json")
    (item,) = json.loads(out)
    assert list(item) == ["id", "source", "client_ids", "reason", "since", "candidates"]
    assert item["client_ids"] == [str(client) for client in clients]
    assert (await desk.command("review", "undo", "1"))[0] == 1, "nothing is decided yet"
    assert (await desk.command("review", "dismiss", "1"))[0] == 0
    code, out, err = await desk.command("review", "undo", "1")
    assert code == 0, err
    assert out.splitlines()[0] == "Review 1: the decision is withdrawn and the item is open again."
    assert len(out.splitlines()) == 3
    code, out, _ = await desk.command("review", "show", "1")
    assert "dismiss, taken back by" in out
    code, out, _ = await desk.command("review", "list", "--json")
    assert (code, json.loads(out)) == (0, [item])


async def test_clients_of_one_customer_with_other_names_are_listed(desk: Desk) -> None:
    one, two = (desk.sides.booxi.add_client(firstName="Ada", lastName="Moreau", email="ada@example.com") for _ in range(2))
    await desk.book(one)
    await desk.book(two)
    assert (await desk.command("check", "--links", "stores"))[:2] == (
        0,
        "1 customer with several clients looked at: no names differ.\n",
    )
    desk.sides.booxi.state.clients[two]["firstName"] = "Otto"
    customer = desk.sides.booxi.links()[one]
    code, out, _ = await desk.command("check", "--links", "stores")
    assert code == 1
    assert out.splitlines() == [
        f"client {two} of stores and client {one} of stores → customer {customer}: their names speak against one person",
        "         → waits for a person (`connector review show 1`)",
        "1 customer with several clients looked at: 1 pair.",
    ]
    code, out, _ = await desk.command("check", "--links", "stores", "--json")
    found = json.loads(out)
    assert (code, list(found), found["customers"], found["unread"]) == (1, ["source", "customers", "unread", "pairs"], 1, 0)
    assert [pair["review"] for pair in found["pairs"]] == [1]


async def test_wrong_usage(desk: Desk) -> None:
    for arguments in (
        ("--links", "nowhere"),
        ("--links", "stores", "--fix"),
        ("--links", "stores", "--drift", "stores"),
        ("--sample", "3"),
        ("--drift", "nowhere"),
        ("--drift", "stores", "--sample", "0"),
    ):
        assert (await desk.command("check", *arguments))[0] == 2
