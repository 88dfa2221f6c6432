"""What people type around a value, taken away where it is obvious what was meant. Pure; decides nothing about who it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

# fmt: off
#: What people paste around a value without seeing it: spaces of all kinds, zero-width and direction marks.
INVISIBLE = "".join(map(chr, [
    *range(0x21), *range(0x7F, 0xA1), 0xAD, 0x1680, 0x180E, *range(0x2000, 0x2010), *range(0x2028, 0x2030),
    0x205F, *range(0x2060, 0x2070), 0x3000, 0xFEFF,
]))
# fmt: on
#: Characters; longer values are neither e-mail addresses nor phone numbers.
MAX_VALUE = 320
_ADDRESS = re.compile(r"[^\s<>()\[\]{},;:/|\"\\]+@[^\s<>()\[\]{},;:/|\"'\\]+")
_REMARK = re.compile(r"\([^)]*[^\W\d_][^)]*\)?|\[[^\]]*\]?")
_SEVERAL = re.compile(r"\s*(?:[;,|]|\s/\s?|/\s|\n|\s+(?:or|and|oder|und|ou|et|o|y|of|en)\s+)\s*", re.IGNORECASE)
#: "extension" as it is written in the markets' languages; kept in a form that the number parser reads.
_EXTENSION = re.compile(
    r"[\s,;.]*(?:\b(?:extension|ext|exten|poste|durchwahl|dw|app|apparat|interno|int|ramal|anexo|toestel|anknytning|wew)\b\.?|\bx|#)"
    r"\s*[:.]?\s*(\d{1,7})\s*$",
    re.IGNORECASE,
)
_WORDS_BEHIND = re.compile(r"(?<=\d)[\s,;:.\-–]*[^\W\d_][^\d]*$")
_WORDS_BEFORE = re.compile(r"^[^\d+(]*[^\W\d_][^\d+(]*[:\s]\s*(?=[+(\d])")


def repaired_email(raw: str) -> str:
    """The first address in `raw`, without `mailto:`, angle brackets, remarks and trailing punctuation; else `raw` trimmed."""
    text = raw.strip(INVISIBLE)
    if len(text) > MAX_VALUE or "@" not in text:
        return text
    found = _ADDRESS.search(text.removeprefix("mailto:").removeprefix("MAILTO:"))
    if found is None:
        return text
    address = found.group().rstrip(".,;:").lstrip("'`")
    # More than one @, or text that belongs to the address in quotes: not ours to guess.
    return address if address.count("@") == 1 and '"' not in text else text


def phone_candidates(raw: str) -> Iterator[str]:
    """Readings of `raw` as a phone number, the most literal one first."""
    text = raw.strip(INVISIBLE)
    yield text
    if len(text) > MAX_VALUE:
        return
    without = _REMARK.sub(" ", text).strip()
    for part in [without, *[part for part in _SEVERAL.split(without) if part]]:
        extension = _EXTENSION.search(part)
        plain = part[: extension.start()] if extension else part
        plain = _WORDS_BEFORE.sub("", _WORDS_BEHIND.sub("", plain)).strip(" .,;:-")
        if plain.startswith("00") and len(plain) > 8:
            plain = "+" + plain[2:].lstrip()
        yield f"{plain} ext. {extension[1]}" if extension else plain
