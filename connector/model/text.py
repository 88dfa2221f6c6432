"""What others wrote, made safe to look at: in a terminal, on a page, in JSON and in the log.

A name or an id can hold characters that nobody sees and that change how the rest is read: controls that move the cursor, marks
that turn the direction of writing, tags, halves of pairs. They are shown as U+FFFD, and in JSON as `\\uXXXX`, which is the same
value. Unicode's general categories: https://www.unicode.org/reports/tr44/#General_Category_Values
"""

from __future__ import annotations

import json
import re
from typing import Any
from unicodedata import category

#: Controls (C0 and C1), format characters (direction, joiners, tags), halves of pairs, line and paragraph separators.
_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_UNUSUAL = re.compile(r"[^\x20-\x7e]")


def visible(value: Any, *, keep: str = "") -> str:
    """The value as text without characters that are not shown as themselves; those in `keep` stay."""
    text = str(value)
    if text.isprintable():
        return text
    return _UNUSUAL.sub(lambda found: _shown(found[0], keep), text)


def _shown(character: str, keep: str) -> str:
    return "\N{REPLACEMENT CHARACTER}" if character not in keep and category(character) in _UNSHOWN else character


def visible_json(data: Any, **options: Any) -> str:
    """JSON in which such characters are escaped; other letters stay readable. `options` are those of `json.dumps`."""
    text = json.dumps(data, ensure_ascii=False, **options)
    # What json.dumps itself writes between values are spaces and, with `indent`, line feeds.
    return text if text.isprintable() else _UNUSUAL.sub(lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1] if character != "\n" and category(character) in _UNSHOWN else character
