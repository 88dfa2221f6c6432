"""Agreement is not carried over by a third name: the other clients of a customer are asked where the names differ."""

import httpx
import pytest

from .harness import World

pytestmark = pytest.mark.anyio

MAIL = "shared@example.com"


def reads_of(world: World, client: str) -> int:
    """How often the booking system was asked for a client's own record."""
    return sum(sent.startswith("GET") and sent.rstrip("/").endswith(f"client/{client}") for sent in world.booxi_gate.sent)


async def booked(world: World, first: str) -> str:
    client = world.client(firstName=first, lastName="Smith", email=MAIL)
    await world.process(client)
    return client


async def test_john_and_jane_are_not_both_j_smith(world: World):
    customer = world.contact(email=MAIL, firstname="J.", lastname="Smith")
    john = await booked(world, "John")
    assert await world.link(john) == (customer, "email")
    jane = world.client(firstName="Jane", lastName="Smith", email=MAIL)
    ended = await world.process(jane)
    assert str(ended.error) == "the e-mail address matches, the name does not"
    assert jane not in await world.links()
    assert reads_of(world, john) == 1


async def test_one_person_with_two_records_is_not_asked_about(world: World):
    customer = world.contact(email=MAIL, firstname="J.", lastname="Smith")
    one, two = await booked(world, "John"), await booked(world, "John")
    assert [await world.link(client) for client in (one, two)] == [(customer, "email")] * 2


@pytest.mark.parametrize("keys", [{"email": MAIL}, {"mobilePhoneNumber": "514-555-0123"}])
async def test_two_who_agree_strongly_with_a_third_are_not_one(world: World, keys: dict[str, str]):
    alan, first, second = (world.client(firstName=name, lastName="Reed", **keys) for name in ("Alan", "Alan B.", "Alan C."))
    for client in (alan, first):
        await world.process(client)
    ended = await world.process(second)
    assert "matches, the name does not" in str(ended.error)
    assert set(await world.links()) == {alan, first}


async def test_where_the_names_are_the_same_nobody_else_is_read(world: World):
    world.contact(email=MAIL, firstname="John", lastname="Smith")
    one = await booked(world, "John")
    await booked(world, "John")
    assert reads_of(world, one) == 0


async def test_where_the_address_alone_decides_nobody_else_is_read(world: World):
    world.use(name_mismatch="link")
    customer = world.contact(email=MAIL, firstname="J.", lastname="Smith")
    one, two = await booked(world, "John"), await booked(world, "Jane")
    assert await world.link(two) == (customer, "email")
    assert reads_of(world, one) == 0


async def test_a_client_that_cannot_be_read_says_nothing(world: World):
    customer = world.contact(email=MAIL, firstname="J.", lastname="Smith")
    one = await booked(world, "John")
    world.booxi_gate.on("GET", f"client/{one}/?$", httpx.Response(400, json={"message": "refused"}), times=20)
    assert await world.link(await booked(world, "Jane")) == (customer, "email")
