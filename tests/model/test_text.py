"""Characters that are not shown as themselves: wherever somebody looks, and unchanged in the value of the JSON."""

from __future__ import annotations

import json

import pytest

from connector.model.text import visible, visible_json

HIDDEN = [
    "\x1b",
    "\x00",
    "\r",
    "\x85",
    "\x9b",
    "\u200b",
    "\u200d",
    "\u202e",
    "\u2066",
    "\ufeff",
    "\u2028",
    "\ud800",
    "\U000e0041",
]


@pytest.mark.parametrize("character", HIDDEN, ids=ascii)
def test_what_is_not_seen_is_replaced_in_text_and_escaped_in_json(character: str) -> None:
    assert visible(f"Ada{character}Berg") == "Ada\ufffdBerg"
    text = visible_json({"name": f"Ada{character}Berg"}, indent=2)
    assert character not in text
    assert json.loads(text) == {"name": f"Ada{character}Berg"}


@pytest.mark.parametrize("text", ["Zoë Müller", "王伟", "محمد علي", "🎉 fête", "a\u00a0b", "e\u0301"])
def test_letters_stay_as_they_are(text: str) -> None:
    assert visible(text) == text
    assert json.loads(visible_json([text])) == [text]
    assert text in visible_json([text])


def test_what_a_place_can_show_is_kept_there() -> None:
    assert visible("a\nb\x1b", keep="\n") == "a\nb\ufffd"
    assert visible(17) == "17"
