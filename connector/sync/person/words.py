"""The words of a name as they are compared. Pure."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# fmt: off
#: Zero-width characters that belong to the spelling of Persian and Indic names.
JOINERS = "\u200c\u200d"
_APOSTROPHES = dict.fromkeys(map(ord, "'\u2019\u2018\u02bc\u02bb`\u00b4\uff07"))
#: Letters that no Unicode decomposition reduces to their plain form.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
#: Accents of Latin, Greek and Cyrillic only: elsewhere (Devanagari, kana) a mark makes another letter.
_ACCENTS = re.compile("[\u0300-\u036f]")
# fmt: on
_ASCII_WORD, _ASCII_APOSTROPHES = re.compile("[a-z0-9]+"), re.compile("['`]")
_SAINTS = {"st": "saint", "ste": "sainte"}


@lru_cache(maxsize=8192)
def _words_of(text: str) -> tuple[str, ...]:
    if text.isascii():
        # Most names: nothing to fold but case.
        return _with_saints(_ASCII_WORD.findall(_ASCII_APOSTROPHES.sub("", text).lower()))
    folded = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES).casefold().translate(_APOSTROPHES)).casefold()
    # Composed again, so that Korean syllables and kana are one character each.
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", folded).translate(_PLAIN))
    letters = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in plain if c not in JOINERS)
    return _with_saints(letters.split())


def _with_saints(words: list[str]) -> tuple[str, ...]:
    # "St. John" and "Saint John"; at the end it is a generation.
    return tuple(_SAINTS.get(word, word) if at < len(words) - 1 else word for at, word in enumerate(words))


def words_of(text: str) -> list[str]:
    """The words that are compared: without case, accents and punctuation."""
    return list(_words_of(text))
