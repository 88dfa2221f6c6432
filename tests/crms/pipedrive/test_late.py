"""A create without a clear answer whose person shows late, or never: nobody is made again before that is certain enough.

The whole sync runs over the real store, and the test says what time it is.
"""

from datetime import UTC, datetime

import httpx
import pytest
from pydantic import ValidationError
from sync.gate import BEFORE_IT_ARRIVED, LOST, Gate
from sync.harness import World

from connector.crms.pipedrive.settings import PipedriveSettings
from connector.model.errors import Postponed, UnknownOutcome
from connector.sandbox.kit.faults import Faults
from connector.sandbox.pipedrive.app import MARKER, PipedriveSandbox
from connector.sync.person.identity import person_key

pytestmark = pytest.mark.anyio
PERSON, ACTIVITY = ("POST", "/persons$"), ("POST", "/activities$")
GRACE = {"firstName": "Grace", "lastName": "Hopper", "email": "grace@example.com"}


class PipedriveWorld(World):
    """The sync's world with Pipedrive as its CRM; the search shows nothing new for an hour."""

    def __init__(self, folder, connect):
        self._adapter = connect
        super().__init__(folder)

    def _connect(self):
        super()._connect()
        self.pipedrive = PipedriveSandbox(
            fields=(MARKER,), per_2_seconds=None, searches_per_2_seconds=None, daily_tokens=None, clock=self.clock
        )
        self.pipedrive.faults = Faults(search_lag_seconds=3600)
        self.gate = Gate(self.pipedrive)
        self.crm = self._adapter(self.gate)
        self.crm._window.clock = lambda: datetime.fromtimestamp(self.clock(), UTC)

    def fix(self):
        self.gate.open()
        self.crm.remote.breaker.reset()
        super().fix()

    @property
    def tried(self) -> int:
        """Creates of persons that were sent."""
        return self.gate.sent.count("POST /api/v2/persons")

    @property
    def persons(self) -> list[str]:
        return [str(person["id"]) for person in self.pipedrive.persons()]


@pytest.fixture
async def world(tmp_path, connect):
    made = PipedriveWorld(tmp_path, connect)
    await made.start()
    yield made
    await made.stop()


async def test_a_lost_answer_and_a_person_who_shows_two_minutes_later_make_one_person(world):
    world.pipedrive.rules.list_lag_seconds = 120
    world.gate.on(*PERSON, LOST)
    client = world.client()
    assert isinstance((await world.process(client)).error, UnknownOutcome)
    (person,) = world.persons
    for _ in range(11):
        (ended,) = await world.again()
        assert isinstance(ended.error, Postponed), "nobody may be made while the first one may still show"
        assert ended.state == "queued"
    (ended,) = await world.again(20)
    assert (ended.state, ended.work.outcome) == ("done", "created")
    assert world.persons == [person]
    assert world.stored(client) == person
    assert world.tried == 1
    assert await world.open_effects() == []


async def test_a_create_that_arrives_minutes_later_is_found_and_not_made_again(world):
    world.gate.on(*PERSON, BEFORE_IT_ARRIVED)
    client = world.client()
    await world.process(client)
    (ended,) = await world.again(200)
    assert isinstance(ended.error, Postponed)
    person = world.pipedrive.add_person("Ada Byron", emails=("ada@example.com",), key=person_key("stores", client))
    (ended,) = await world.again(200)
    assert ended.work.outcome == "created"
    assert world.persons == [person]
    assert world.tried == 1


async def test_what_never_arrived_is_made_after_the_wait_and_an_answer_lost_again_waits_anew(world):
    world.gate.on(*PERSON, BEFORE_IT_ARRIVED, times=2)
    client = world.client()
    await world.process(client)
    world.clock.now += 299
    (ended,) = await world.run_all()
    assert (type(ended.error), world.tried) == (Postponed, 1)
    assert ended.error.retry_after == pytest.approx(1)
    world.clock.now += 10
    (ended,) = await world.run_all()
    assert (type(ended.error), world.tried) == (UnknownOutcome, 2)
    (ended,) = await world.again(290)
    assert (type(ended.error), world.tried) == (Postponed, 2)
    (ended,) = await world.again(20)
    assert (ended.state, world.tried) == ("done", 3)
    assert world.stored(client) == world.persons[0]
    assert len(world.persons) == 1


async def test_a_clock_that_was_put_back_makes_the_wait_no_longer(world):
    world.gate.on(*PERSON, BEFORE_IT_ARRIVED)
    client = world.client()
    await world.process(client)
    world.fix()
    world.clock.now -= 3600
    await world.store.lanes.set_back(3600, world.clock())
    world.clock.now += 10
    (ended,) = await world.run_all()
    assert ended.error.retry_after == 300


async def test_the_same_person_waits_and_others_do_not(world):
    world.pipedrive.rules.list_lag_seconds = 120
    world.gate.on(*PERSON, LOST)
    ada, same, grace = world.client(), world.client(), world.client(**GRACE)
    await world.process(ada)
    assert isinstance((await world.process(same)).error, Postponed)
    assert (await world.process(grace)).work.outcome == "created"
    await world.again(130)
    await world.again()
    assert len(world.persons) == 2
    assert world.stored(ada) == world.stored(same) != world.stored(grace)


async def test_an_activity_whose_answer_was_lost_and_that_shows_late_is_made_once(world):
    world.use(record_appointments=True)
    world.pipedrive.rules.list_lag_seconds = 60
    world.gate.on(*ACTIVITY, LOST)
    client = world.client()
    assert isinstance((await world.process(client)).error, UnknownOutcome)
    (ended,) = await world.again()
    assert isinstance(ended.error, Postponed)
    (ended,) = await world.again(60)
    assert ended.state == "done"
    assert len(world.pipedrive.activities()) == 1


async def test_without_the_wait_a_second_person_is_made(world):
    """What the wait is for."""
    world.crm.settle_seconds = 0
    world.pipedrive.rules.list_lag_seconds = 120
    world.gate.on(*PERSON, LOST)
    await world.process(world.client())
    await world.again()
    assert len(world.persons) == 2


def test_a_wait_that_is_longer_than_the_window_is_refused():
    given = {"system": "pipedrive", "token": "t", "window_minutes": 4, "wait_minutes": 5}
    with pytest.raises(ValidationError, match="longer than window_minutes"):
        PipedriveSettings.model_validate(given)


def test_the_wait_is_five_minutes(connect):
    assert connect(httpx.MockTransport(lambda _: httpx.Response(404))).settle_seconds == 300
