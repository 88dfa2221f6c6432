"""Lists of many rows: their memory does not grow with them. `CONNECTOR_TEST_ROWS=1000000` tries the size of the issue."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

#: Rows of the long list; the short one has a hundredth.
ROWS = int(os.environ.get("CONNECTOR_TEST_ROWS", "20000"))
#: MiB that a command may need more for the long list than for the short one.
MORE = 4
#: Runs commands one after the other, and says after each how much memory there was at most, in KiB. (`ru_maxrss` would count
#: our own process too.)
MEASURE = """
import json, sys
from pathlib import Path
from connector.cli import main
for words in json.loads(sys.argv[1]):
    main(words, standalone_mode=False)
    status = Path("/proc/self/status").read_text()
    sys.stdout.write(status.partition("VmHWM:")[2].split()[0] + "\\0")
"""
COUNT = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
FILL = (
    "INSERT INTO deliveries (id, source, event, derived, type, received_at) SELECT i, 'stores', 'e-' || i, 0, 't', i FROM n",
    "INSERT INTO events (id, delivery_id, source, client_id, type, state, received_at, updated_at, reason, trace)"
    " SELECT i, i, 'stores', 'c-' || i, 'appointment.updated', 'done', i, i, 'found', '[{\"rule\": \"email\", \"result\":"
    ' "found", "note": "the same address"}]\' FROM n',
    "INSERT INTO links (source, client_id, crm, customer_id, origin, linked_at)"
    " SELECT 'stores', 'c-' || i, 'main', i, 'email', i FROM n",
)


def measured(place, *commands: tuple[str, ...]) -> list[tuple[str, float]]:
    """The stdout of each command, and the peak of the process in MiB after it."""
    words = json.dumps([[*command, "--config", str(place.file)] for command in commands])
    done = subprocess.run([sys.executable, "-c", MEASURE, words], capture_output=True, text=True, check=True)
    ended = (answer.rpartition("\n") for answer in done.stdout.split("\0")[:-1])
    return [(text, int(peak) / 1024) for text, _, peak in ended]


def fill(place, rows: int) -> None:
    place.make()
    with sqlite3.connect(place.database) as connection:
        for statement in FILL:
            insert, _, select = statement.partition(" SELECT ")
            connection.execute(f"{insert} {COUNT.format(rows=rows)} SELECT {select}")
    connection.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("words", [("links", "list"), ("events", "list", "--limit", str(ROWS))], ids=" ".join)
def test_memory_does_not_grow_with_the_rows(place, words):
    fill(place, ROWS)
    forms = ("--json", "--json-lines", "--source=stores")
    (_, little), *long = measured(
        place, (*words[:2], "--limit", str(ROWS // 100), "--json"), *((*words, form) for form in forms)
    )
    for form, (text, much) in zip(forms, long, strict=True):
        rows = json.loads(text) if form == "--json" else text.splitlines()[form != "--json-lines" :]
        assert len(rows) == ROWS
        assert much - little < MORE, form


def test_a_list_goes_on_behind_its_cursor(place):
    fill(place, 5)
    result = place.run("events", "list", "--limit", "2", "--json")
    assert [event["id"] for event in json.loads(result.stdout)] == [5, 4]
    assert result.stderr == "There are more; continue with --cursor 4\n"
    result = place.run("events", "list", "--limit", "3", "--json-lines", "--cursor", "4")
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [3, 2, 1]
    assert result.stderr == ""
    result = place.run("links", "list", "--limit", "4")
    assert "There are more; continue with --cursor 4\n" in result.stderr
    assert [link["client_id"] for link in place.json("links", "list", "--cursor", "4")] == ["c-5"]


def test_a_table_has_one_line_a_row(place):
    fill(place, 3)
    lines = place.run("links", "list").stdout.splitlines()
    assert lines[0].split() == ["source", "client_id", "crm", "customer_id", "origin", "linked_at", "written_back_at"]
    assert [line.split()[1] for line in lines[1:]] == ["c-1", "c-2", "c-3"]
