"""Any order of deliveries, claims, crashes and people's interventions: the store agrees with a dictionary."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import postgres
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, precondition, rule

from connector.model.backfills import Request
from connector.model.jobs import Awaited, StaleClaim, Verdict
from connector.model.states import STATES
from connector.store import Store, views

from .model import FINAL, WAITING, Model
from .samples import NOW, Place, delivery, event, rows

# It passes in seconds; a failure takes minutes to be reduced to its shortest history, which is worth waiting for.
pytestmark = pytest.mark.timeout(600)
CLIENTS = [f"c-{n}" for n in range(3)]
AWAITED = [Awaited("crm.main"), Awaited("crm.main", "record the appointment"), Awaited("booking.stores")]
YEAR = 365 * 24 * 3600.0

clients = st.lists(st.sampled_from(CLIENTS), min_size=1, max_size=3)
pauses = st.sampled_from([0.5, 5.0, 60.0])


def _state(connection):
    """Events, tallies and lanes, in one read: after each step somebody asks for all of them."""
    events = connection.execute("SELECT id, client_id, state, attempts, snoozes, payload IS NULL FROM events").fetchall()
    lanes = "SELECT client_id, due, awaited_account, awaited_action, boot IS NOT NULL, priority = 0 FROM lanes"
    return [tuple(row) for row in events], views.queue(connection), [tuple(row) for row in connection.execute(lanes).fetchall()]


class StoreMachine(RuleBasedStateMachine):
    """The store and its model side by side; the clock moves only by `time_passes`."""

    works = Bundle("works")
    stale = Bundle("stale")

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory(prefix="connector-")
        self.now, self.count, self.pages = NOW, 0, 0
        self.model = Model()
        self.in_hand: dict[int, object] = {}
        self.open()

    def open(self) -> None:
        async def opening() -> Store:
            return self.opened(Path(self.folder.name))

        self.store: Store = self.run(opening())

    def opened(self, folder: Path) -> Store:
        store = Store.open(folder / "connector.db")
        # The power does not fail here; without waiting for the disk there is time for more histories.
        store.database._connection.execute("PRAGMA synchronous = OFF")
        store.database._synchronise = lambda durable: None
        return store

    def run(self, coroutine):
        return self.runner.run(coroutine)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.everything_that_waits_can_be_done()
        finally:
            self.run(self.store.close())
            self.runner.close()
            self.folder.cleanup()

    # What arrives.

    @rule(clients=clients)
    def deliver(self, clients) -> None:
        self.count += 1
        assert self.run(self.store.inbox.accept(delivery(f"e-{self.count}", *clients, at=self.now))) == "queued"
        self.model.deliver(f"e-{self.count}", clients, self.now)

    @rule(client=st.sampled_from(CLIENTS))
    def deliver_two_in_one_commit(self, client) -> None:
        async def both():
            one, two = (delivery(f"e-{n}", client, at=self.now) for n in (self.count + 1, self.count + 2))
            return await asyncio.gather(*(self.store.inbox.accept(d) for d in (one, two, one)))

        assert self.run(both()) == ["queued", "queued", "duplicate"]
        for _ in range(2):
            self.count += 1
            self.model.deliver(f"e-{self.count}", [client], self.now)

    @precondition(lambda self: self.count)
    @rule(data=st.data())
    def deliver_a_duplicate(self, data) -> None:
        id_ = f"e-{data.draw(st.integers(1, self.count))}"
        assert self.run(self.store.inbox.accept(delivery(id_, "c-9", at=self.now))) == "duplicate"

    @rule(client=st.sampled_from(CLIENTS))
    def walk_the_past(self, client) -> None:
        async def add():
            run = await self.store.backfills.begin("stores", Request(str(self.pages)), 0, self.now, False, self.now)
            await self.store.backfills.add_page(run, [event(client)], {}, 1.0, every_appointment=False, now=self.now)
            return run

        self.pages += 1
        run = self.run(add())
        self.model.deliver(f"backfill:{run.id}:{client}:", [client], self.now, live=False)

    # What the worker does.

    @rule(target=works, limit=st.sampled_from([1, 1, 2, 8]))
    def claim(self, limit):
        live, past = (self.model.due(self.now, live=which) for which in (True, False))
        claimed = self.run(self.store.lanes.claim(limit, self.now))
        taken = {work.client_id for work in claimed}
        assert taken <= live | past
        assert len(taken) == len(claimed) == min(limit, len(live | past)), "not everything that was due was claimed"
        assert not taken & past or live <= taken, "the backfill went before a live event"
        for work in claimed:
            assert self.model.claim(work.client_id) == work.event_id, "not the head of its lane"
            expected = self.model.events[work.event_id]
            assert (work.attempts, work.snoozes, work.delivery) == (expected.attempts, expected.snoozes, expected.delivery)
            assert work.event.client.id == work.client_id
        # A claim that meets a due lane with nothing in it closes the lane.
        open_still = {row[0] for row in self.run(rows(self.store, "SELECT client_id FROM lanes WHERE due IS NOT NULL"))}
        self.model.close([client for client in self.model.empty(self.now) if client not in open_still])
        self.in_hand.update({work.event_id: work for work in claimed})
        return multiple(*claimed)

    def give(self, work, state, **more) -> None:
        failed = more.pop("failed", False)
        work.outcome = "failed" if failed else work.outcome
        self.run(self.store.lanes.conclude(work, Verdict(state, **more), self.now))
        self.model.conclude(work.event_id, state, self.now, failed=failed, **more)
        del self.in_hand[work.event_id]

    def holds(self, work) -> bool:
        return self.in_hand.get(work.event_id) is work

    @rule(work=consumes(works), state=st.sampled_from(["done", "done", "done", "ignored"]))
    def finish(self, work, state) -> None:
        if self.holds(work):
            self.give(work, state)

    @rule(work=consumes(works), pause=pauses)
    def fail_and_retry_later(self, work, pause) -> None:
        if self.holds(work):
            self.give(work, "retrying", due=self.now + pause)

    @rule(work=consumes(works), pause=pauses)
    def snooze(self, work, pause) -> None:
        if self.holds(work):
            self.give(work, "queued", due=self.now + pause, counts=False)

    @rule(work=consumes(works), wanted=st.sampled_from(AWAITED))
    def wait_for_an_account(self, work, wanted) -> None:
        if self.holds(work):
            self.give(work, "queued", waits_for=wanted, counts=False)

    @rule(wanted=st.sampled_from(AWAITED))
    def account_recovers(self, wanted) -> None:
        assert self.run(self.store.lanes.wake(wanted, self.now)) == self.model.wake(wanted, self.now)

    @rule(work=consumes(works), failed=st.booleans(), review=st.booleans())
    def hold(self, work, failed, review) -> None:
        if not self.holds(work):
            return
        if review:
            opened = self.store.reviews.open("stores", work.client_id, "main", "two of them", [], self.now)
            self.model.reviews[work.client_id] = self.run(opened)
        self.give(work, "held", failed=failed)

    @rule(target=stale, work=works)
    def crash_and_start_again(self, work):
        self.crash()
        return work

    @rule()
    def crash(self) -> None:
        self.run(self.store.close())
        self.open()
        running = sum(lane.running is not None for lane in self.model.lanes.values())
        assert self.run(self.store.lanes.recover(self.now)) == running
        self.model.crash(self.now)
        self.in_hand.clear()

    @rule(work=stale, claimed_again=st.booleans())
    def a_ghost_wakes_up(self, work, claimed_again) -> None:
        if claimed_again:
            self.in_hand.update({rival.event_id: rival for rival in self.claim(8).values})
        if not self.holds(work):
            with pytest.raises(StaleClaim):
                self.run(self.store.lanes.conclude(work, Verdict("done"), self.now))

    # What people and the clock do.

    @precondition(lambda self: self.model.reviews)
    @rule(data=st.data(), decision=st.sampled_from(["link", "create", "dismiss"]))
    def decide(self, data, decision) -> None:
        client = data.draw(st.sampled_from(sorted(self.model.reviews)))
        review = self.model.reviews[client]
        customer = "501" if decision == "link" else None
        assert self.run(self.store.reviews.decide(review, decision, customer, "ops", self.now)) is None
        self.model.decide(client, decision, self.now)

    @precondition(lambda self: self.model.events)
    @rule(data=st.data())
    def retry_by_hand(self, data) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.model.events)))
        expected = [id_] if self.model.retry(id_, self.now) else []
        assert self.run(self.store.upkeep.retry([id_], self.now)) == expected

    @precondition(lambda self: self.model.events)
    @rule(data=st.data())
    def discard(self, data) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.model.events)))
        expected = [id_] if self.model.discard(id_, self.now) else []
        assert self.run(self.store.upkeep.discard([id_], "ops", self.now)) == expected

    @rule()
    def prune(self) -> None:
        assert self.run(self.store.upkeep.prune(self.now + 1)) == self.model.prune()

    @rule(seconds=st.sampled_from([0.1, 1.0, 30.0, 4_000.0]))
    def time_passes(self, seconds) -> None:
        self.now += seconds

    # What always holds.

    @invariant()
    def store_and_model_agree(self) -> None:
        if not hasattr(self, "store"):
            return
        events, tallies, lanes = self.run(self.store.read(_state))
        found = {row[0]: row[1:] for row in events}
        expected = {id_: (e.client, e.state, e.attempts, e.snoozes, int(e.pruned)) for id_, e in self.model.events.items()}
        assert found == expected
        assert tallies == {state: sum(e.state == state for e in self.model.events.values()) for state in STATES}
        self.whatever_waits_has_somebody_or_something_to_wake_it(lanes)

    def whatever_waits_has_somebody_or_something_to_wake_it(self, lanes) -> None:
        for client, due, account, action, claimed, live in lanes:
            waits_for = None if account is None else Awaited(account, action)
            lane = self.model.lanes[client]
            expected = (lane.due, lane.waits_for, lane.running is not None, lane.live)
            assert (due, waits_for, bool(claimed), bool(live)) == expected, client
            assert (self.model.of(client, "running") == [lane.running]) if claimed else not self.model.of(client, "running")
            if self.model.of(client, *WAITING):
                assert claimed or due is not None or waits_for is not None, f"nothing ever claims {client}"

    def everything_that_waits_can_be_done(self) -> None:
        """The end of each history: accounts recover, a year passes, and whatever is not held or final gets done."""
        self.now += YEAR
        for wanted in AWAITED:
            self.account_recovers(wanted)
        for work in list(self.in_hand.values()):
            self.give(work, "done")
        for _ in range(len(self.model.events) + len(self.model.lanes) + 1):
            for work in self.claim(8).values:
                self.give(work, "done")
        self.store_and_model_agree()
        assert all(e.state in ("held", *FINAL) for e in self.model.events.values())


class PostgresMachine(StoreMachine):
    """The same in PostgreSQL."""

    server: postgres.Server
    url = ""

    def opened(self, folder: Path) -> Store:
        self.url = self.url or self.server.fresh()
        return Store.open(Place(self.url, folder / "connector"))


def many(examples: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=40,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        deadline=None,
    )


StoreMachine.TestCase.settings = many(100)
# Every statement goes to another process and back.
PostgresMachine.TestCase.settings = many(25)
TestStore = StoreMachine.TestCase


@pytest.fixture(scope="class")
def started(server: postgres.Server) -> None:
    PostgresMachine.server = server


@pytest.mark.usefixtures("started")
class TestStoreInPostgres(PostgresMachine.TestCase):
    pass
