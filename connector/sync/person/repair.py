"""What people type around a value, taken away where it is obvious what was meant. Pure; decides nothing about who it is."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

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
#: What may stand before an address: a bracket, or a word with a colon and a space, or a phone number. With anything else, the
#: address may be cut: of "john,doe@example.com" the second half is somebody else's.
_BEFORE = re.compile(
    r"(?:(?:^|\s)[(\[{]|(?:^|\s)[^\s<>]*<|:\s+|\be-?mail:|\bmail(?:to)?:|^[^a-z]*\d{3}[^a-z\d]*[\s,;/|])[\"'`]*$", re.IGNORECASE
)
#: "anna@example.co m", "anna@example.co,uk": what stands behind may be the end of the domain.
_BEHIND = re.compile(r"[\s,;:|\\]*[a-z]{1,3}\W*", re.IGNORECASE)
#: What software that writes for web pages or databases makes of a sign, once or twice: O&#039;Hara, O&amp;#039;Hara, O\'Hara.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(?=['\"\\])")
#: The same for addresses of the web: of the signs of an e-mail address only these are written so.
_PERCENT = re.compile("%(?:2[b7]|40)", re.IGNORECASE)
#: "anna(at)example.com", "anna [at] example [dot] com", in the words of the markets.
_AT_IN_BRACKETS = re.compile(
    r"\s*[(\[{<]\s*(?:at|@|ät|arroba|arobase|chiocciola|aapstaart|malpa|snabel-?a)\s*[)\]}>]\s*", re.IGNORECASE
)
_DOT_IN_BRACKETS = re.compile(r"\s*[(\[{<]\s*(?:dot|\.|punkt|point|punto|ponto|punt|kropka)\s*[)\]}>]\s*", re.IGNORECASE)
#: "anna at example dot com": only with both words, and nothing else around them.
_IN_WORDS = re.compile(r"[\w.+-]+\s+at\s+[\w-]+(?:\s+dot\s+[\w-]+)+", re.IGNORECASE)
#: What keyboards and copying put into an address, and what stands in none: full-width letters, a typographic apostrophe, signs
#: that nobody sees in the middle of it.
_IN_NO_ADDRESS: dict[int, str | None] = {
    **{0xFF01 + n: chr(0x21 + n) for n in range(94)},
    **dict.fromkeys((0x2018, 0x2019, 0x02BC), "'"),
    **dict.fromkeys((0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF)),
    0x3002: ".",
}
_REMARK = re.compile(r"\([^)]*[^\W\d_][^)]*\)?|\[[^\]]*\]?")
_OR = "or|and|oder|und|ou|et|o|y|of|en|lub|albo|nebo|eller|tai|veya|или|або|ή"
#: What a spreadsheet makes of a number: "5145550101.0".
_EXPORTED = re.compile(r"(?<=\d{7})\.0$")
#: Fewer digits are a part of a number.
LEAST_DIGITS = 7
_SEVERAL = re.compile(rf"\s*(?:[;,|]|\s/\s?|/\s|\n|\s+(?:{_OR})\s+)\s*", re.IGNORECASE)
#: "extension" as it is written in the markets' languages; kept in a form that the number parser reads.
_EXTENSION = re.compile(
    r"[\s,;.]*(?:\b(?:extension|ext|exten|poste|durchwahl|dw|app|apparat|interno|int|ramal|anexo|toestel|anknytning|wew)\b\.?|\bx|#)"
    r"\s*[:.]?\s*(\d{1,7})\s*$",
    re.IGNORECASE,
)
_WORDS_BEHIND = re.compile(r"(?<=\d)[\s,;:.\-–]*[^\W\d_][^\d]*$")
_WORDS_BEFORE = re.compile(r"^[^\d+(]*[^\W\d_][^\d+(]*[:\s]\s*(?=[+(\d])")


def _with_signs(text: str) -> str:
    """The text with "(at)" and "[dot]" as signs, and without spaces around the @ or a comma for the last dot."""
    text = _DOT_IN_BRACKETS.sub(".", _AT_IN_BRACKETS.sub("@", text))
    if _IN_WORDS.fullmatch(text):
        text = re.sub(r"\s+dot\s+", ".", re.sub(r"\s+at\s+", "@", text, flags=re.IGNORECASE), flags=re.IGNORECASE)
    text = re.sub(r"\s*@\s*", "@", text) if re.fullmatch(r"[^\s@]+\s*@\s*[^\s@]+", text) else text
    return re.sub(r"(@[\w-]+),((?:com|net|org|de|fr|es|it|nl|be|ca|uk|co\.uk|ch|at|pl|pt|br)\W*)$", r"\1.\2", text)


def unescaped(text: str) -> str:
    """The text with signs in the place of HTML's names and numbers for them, and without backslashes before quotes."""
    for _ in range(2 if "&" in text else 0):
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return _ESCAPED.sub("", text) if "\\" in text else text


def redecoded(text: str) -> str:
    """The text that was meant by one whose UTF-8 was read as a Windows charset: "JÃ¼rgen" is Jürgen. Any other one as it is."""
    if text.isascii():
        return text
    try:
        return b"".join(c.encode("latin-1" if ord(c) < 256 else "cp1252") for c in text).decode("utf-8")
    except UnicodeError:
        return text


def unescaped_email(text: str) -> str:
    """`unescaped`, with signs for "%2B" (+), "%27" (') and "%40" (@), and those that stand in no address as they were meant."""
    text = unescaped(text)
    text = text if text.isascii() else text.translate(_IN_NO_ADDRESS)
    return _PERCENT.sub(lambda found: unquote(found[0]), text) if "%" in text else text


def repaired_email(raw: str) -> str:
    """The first address in `raw`, without `mailto:`, angle brackets, remarks and trailing punctuation; else `raw` trimmed.

    An address that may be only the end of a longer one, because of what stands before it, is not taken out.
    """
    text = unescaped_email(raw).strip(INVISIBLE)
    if len(text) > MAX_VALUE:
        return text
    if quoted := re.fullmatch('["\u201c\u201e\u00ab]([^"\\s]+)["\u201d\u00bb]', text):
        text = quoted[1]
    text = _with_signs(text)
    found = _ADDRESS.search(text)
    if found is None or _may_be_cut(text, found):
        return text
    address = found.group().rstrip(".,;:").lstrip("'`")
    if address.count("@") == 1:
        # "mailto:anna@example.com?subject=…": no domain has a question mark.
        local, _, domain = address.partition("@")
        address = f"{local}@{domain.partition('?')[0]}"
    # More than one @, or text that belongs to the address in quotes: not ours to guess.
    return address if address.count("@") == 1 and '"' not in text else text


def holds_address(text: str) -> bool:
    """Whether something in the text looks like an address, whole or cut."""
    return (found := _ADDRESS.search(unescaped_email(text))) is not None and "." in found[0].partition("@")[2]


def _may_be_cut(text: str, found: re.Match[str]) -> bool:
    """Whether what stands around the address could belong to it: then it is not ours to guess."""
    before, behind = text[: found.start()], text[found.end() :]
    whole = before.strip(INVISIBLE + "\"'`") == "" or _BEFORE.search(before) is not None
    return not whole or _BEHIND.fullmatch(behind) is not None


def phone_candidates(raw: str) -> Iterator[str]:
    """Readings of `raw` as a phone number, the most literal one first."""
    text = unescaped(raw).strip(INVISIBLE)
    yield text
    if len(text) > MAX_VALUE:
        return
    without = _EXPORTED.sub("", _REMARK.sub(" ", text).strip())
    first = next((part for part in _REMARK.split(text) if _is_long_enough(part)), "")
    parts = [without, *_SEVERAL.split(without), first, *map(_first_number, (without, first))]
    for part in filter(None, parts):
        extension = _EXTENSION.search(part)
        plain = part[: extension.start()] if extension else part
        plain = _WORDS_BEFORE.sub("", _WORDS_BEHIND.sub("", plain)).strip(" .,;:-")
        if plain.startswith("00") and len(plain) > 8:
            plain = "+" + plain[2:].lstrip()
        yield f"{plain} ext. {extension[1]}" if extension else plain


def _is_long_enough(text: str) -> bool:
    return sum(character.isdigit() for character in text) >= LEAST_DIGITS


def _first_number(text: str) -> str:
    """What stands before a slash or a plus sign, where that is a whole number: "514-555-0101/02"."""
    places = (match.start() for match in re.finditer(r"(?<=\d)\s*[/+]", text))
    return next((text[:place] for place in places if _is_long_enough(text[:place])), "")


def without_addresses(raw: str) -> str:
    """`raw` without the e-mail addresses in it."""
    return _ADDRESS.sub(" ", raw).strip(f"{INVISIBLE}/,;|<>") if "@" in raw else raw
