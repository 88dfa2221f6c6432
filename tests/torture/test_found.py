"""What torture found, as small as it could be made."""

import pytest
from sync.harness import ADA, World

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path):
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


async def test_an_id_which_a_merge_of_clients_brought_may_be_an_older_one_of_the_same_customer(world):
    """Seed 6006: two clients, both linked; the CRM merges, then the booking system does, before either is heard of."""
    one, other = world.client(), world.client(**ADA | {"mobilePhoneNumber": ""})
    await world.process(one)
    (first,) = world.contacts()
    second = world.hubspot.merge(world.contact(email="countess@example.com"), first)
    await world.process(other)
    third = world.hubspot.merge(world.contact(email="byron@example.com"), second)
    # The sender says it with the old client id, as a delivery does that was under way.
    await world.book(one)
    world.booxi.merge_clients(int(one), int(other))
    (ended,) = await world.run_all()
    assert ended.error is None
    assert await world.link(one) == (third, "created")
    assert world.stored(other) == third


async def test_an_id_of_somebody_else_still_waits_for_a_person(world):
    one, other = world.client(), world.client(firstName="Grace", lastName="Hopper", email="grace@example.com")
    await world.process(one)
    await world.process(other)
    world.hubspot.merge(world.contact(email="byron@example.com"), (await world.link(one))[0])
    stranger = world.stored(other)
    await world.book(one)
    world.booxi.merge_clients(int(one), int(other))
    (ended,) = await world.run_all()
    assert ended.state == "held"
    assert world.stored(other) == stranger


async def test_a_merge_while_the_id_is_written_is_looked_at_again(world):
    """Seed 1000, chunk 6: as above, but the clients are merged between our look and our write."""
    one, other = world.client(), world.client(**ADA | {"mobilePhoneNumber": ""})
    await world.process(one)
    (first,) = world.contacts()
    second = world.hubspot.merge(world.contact(email="countess@example.com"), first)
    await world.process(other)
    third = world.hubspot.merge(world.contact(email="byron@example.com"), second)
    world.booxi_gate.on("PUT", "moduleLink", lambda: world.booxi.merge_clients(int(one), int(other)))
    ended = await world.process(one)
    assert ended.state == "retrying"
    (ended,) = await world.again()
    assert (ended.state, world.stored(other)) == ("done", third)
    assert await world.link(one) == (third, "created")


async def test_a_merge_into_somebody_else_while_the_id_is_written_is_asked_about(world):
    one, other = world.client(), world.client(firstName="Grace", lastName="Hopper", email="grace@example.com")
    await world.process(other)
    stranger = world.stored(other)
    world.booxi_gate.on("PUT", "moduleLink", lambda: world.booxi.merge_clients(int(one), int(other)))
    await world.process(one)
    (ended,) = await world.again()
    assert ended.state == "held"
    assert {candidate["customer_id"] for candidate in ended.error.candidates} == {stranger, (await world.link(one))[0]}
    assert world.stored(other) == stranger


async def test_a_merge_of_customers_while_the_id_is_written_is_followed(world):
    """Seed 1000, chunk 8: ours is merged after it was resolved, and an event of another client has written the survivor."""
    ada = world.client()
    await world.process(ada)
    (first,) = world.contacts()
    second = world.hubspot.merge(world.contact(email="countess@example.com"), first)
    last: list[str] = []

    def meanwhile() -> None:
        last.append(world.hubspot.merge(world.contact(email="byron@example.com"), second))
        world.booxi.set_link(int(ada), last[0])

    world.booxi_gate.on("GET", "moduleLink", meanwhile)
    ended = await world.process(ada)
    assert ended.state == "done"
    assert await world.link(ada) == (last[0], "created")
    assert world.stored(ada) == last[0]
    assert await world.open_effects() == []
