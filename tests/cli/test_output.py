"""What senders and customers call themselves is shown, and does nothing."""

from __future__ import annotations

import pytest

from connector.cli import output as terminal

ODD = "[/x] [bold]\x1b]0;taken over\x07\nnext\u2028line \ud800"


@pytest.mark.parametrize("said", ["[/x]", "[bold]a", "no [[sync]] uses the source b", "[link=http://example.com]c", "é\u00a0d"])
def test_a_table_shows_texts_as_they_are(capsys, said):
    terminal.table(("type",), [(said,)], empty="")
    assert said in capsys.readouterr().out


def test_nothing_takes_over_the_terminal(capsys):
    terminal.table(("type",), [(ODD,)], empty="")
    terminal.trace([{"rule": "email", "result": "found", "note": ODD}], indent="")
    candidates = [{"customer_id": "7", "evidence": [ODD]}]
    found = {"client_ids": [ODD], "candidates": candidates, "reason": ODD}
    terminal.review(found, {"7": {"first_name": ODD, "emails": [ODD]}})
    shown = capsys.readouterr().out
    assert "[/x] [bold]" in shown
    assert not set(shown) & set("\x1b\x07\u2028\ud800")
    assert "\nnext" not in shown


def test_no_check_and_no_reason_takes_over_the_terminal(capsys):
    terminal.checks([{"level": "error", "id": "crm.main", "message": ODD, "hint": ODD}])
    progress = {"counts": {"seen": 1}, "open": 0, "fraction": 1.0, "state": "working", "reason": ODD}
    terminal.Follow().show(progress)
    out, err = capsys.readouterr()
    for shown in (out, err):
        assert "[/x] [bold]" in shown
        assert not set(shown) & {"\x1b", "\x07", "\u2028", "\ud800"}
