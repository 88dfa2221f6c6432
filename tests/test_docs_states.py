"""The drawing in docs/events.md is the state machine which the database enforces."""

import re
from pathlib import Path
from typing import get_args

import pytest

from connector.model.states import MOVES, State, Step

PAGE = (Path(__file__).parent.parent / "docs" / "events.md").read_text(encoding="utf-8")
#: The states in which the inbox may store an event: one for each way a delivery can be read.
FIRST = {"queued", "held", "ignored"}


def drawn() -> set[tuple[str, str]]:
    """The arrows of the diagram; `[*]` is the beginning and the end."""
    diagrams = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", PAGE, re.DOTALL)
    assert len(diagrams) == 1
    arrows = [re.fullmatch(r"(\w+|\[\*\]) --> (\w+|\[\*\])(?:: .+)?", line.strip()) for line in diagrams[0].splitlines()]
    assert all(arrows), "a line of the diagram is not an arrow"
    pairs = [(arrow[1], arrow[2]) for arrow in arrows if arrow]
    assert len(set(pairs)) == len(pairs), "an arrow is drawn twice"
    return set(pairs)


def test_the_drawn_moves_are_the_moves_the_database_allows():
    moves = {(old, new) for old, news in MOVES.items() for new in news}
    assert {(old, new) for old, new in drawn() if "[*]" not in (old, new)} == moves


def test_an_event_begins_where_the_inbox_puts_it_and_ends_where_nothing_leads_on():
    assert {new for old, new in drawn() if old == "[*]"} == FIRST
    assert {old for old, new in drawn() if new == "[*]"} == {state for state, moves in MOVES.items() if not moves}


def test_every_state_has_its_moves():
    assert list(MOVES) == list(get_args(State))


@pytest.mark.parametrize("state", MOVES)
def test_every_state_is_explained(state):
    section = PAGE.partition("\n## States\n")[2].partition("\n## ")[0]
    assert re.search(rf"(?m)^\| `{state}` \| .+ \|$", section)


def test_the_steps_are_those_of_the_database():
    from connector.store.sqlite.first_tables import TABLES

    allowed = re.search(r"CHECK \(step IN \(([^)]*)\)\)", TABLES)
    assert allowed is not None
    section = PAGE.partition("\n## Steps\n")[2].partition("\n## ")[0]
    assert re.findall(r"(?m)^\| `(\w+)` \|", section) == re.findall(r"\w+", allowed[1]) == list(get_args(Step))
