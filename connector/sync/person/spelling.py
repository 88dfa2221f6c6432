"""One person's name in the spellings that it has: umlauts, scripts, short forms, women's family names. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from connector.sync.person.tables import LOOK_ALIKE, VARIANTS

#: Letters from which on a name with one wrong letter is a misspelling rather than another name.
LONG = 6
# fmt: off
#: ASSUMPTION: the common English romanisation (BGN/PCGN without its marks); passports of several countries differ in letters
#: that the variants of the given names and `_plain_spelling` make up for.
_LATIN = str.maketrans({
    "а": "a", "б": "b", "в": "v", "г": "g", "ґ": "g", "д": "d", "е": "e", "ё": "e", "є": "ie", "ж": "zh", "з": "z", "и": "i",
    "і": "i", "ї": "i", "й": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t",
    "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e",
    "ю": "yu", "я": "ya", "ђ": "dj", "ј": "j", "љ": "lj", "њ": "nj", "ћ": "c", "џ": "dz",
    "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k", "λ": "l", "μ": "m",
    "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t", "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps",
    "ω": "o",
})
# fmt: on
#: A Chinese given name of two syllables, as it is romanised: brothers and sisters often share one of them (Xiaojun, Xiaoyun).
_SYLLABLE = "(?:[zcs]h|[bpmfdtnlgkhjqxrzcsyw])?(?:i?ang?|i?ao|ai|eng?|ei|er|e|i?ong|ie|ing?|iu|i|ou|o|u?ang?|uai|un|u[eioa]|u)"
_PINYIN = re.compile(_SYLLABLE * 2)
#: Ends of men's and women's given names; which is whose depends on the language.
_DOUBLED = (("e", "ee"), ("ele", "elle"), ("in", "inn"))
#: Scripts that are compared with each other: as `latin` writes them, and katakana as hiragana.
_COMPARED_AS = {"CYRILLIC": "LATIN", "GREEK": "LATIN", "KATAKANA": "HIRAGANA", "KATAKANA-HIRAGANA": "HIRAGANA"}
_GREEK_PAIRS = (("ου", "ou"), ("ντ", "nt"), ("γγ", "ng"), ("αυ", "av"))
#: "ευ" before a vowel or a voiced consonant is "ev", otherwise "ef".
_GREEK_EV = re.compile("ευ(?=[αεηιοωβγδζλμνρ])")
_SOUNDS = str.maketrans({"c": "k", "y": "i", "j": "i", "z": "s", "w": "v", "h": None})
_OTHER_SCRIPT = re.compile("[\u0370-\u03ff\u0400-\u04ff]")
#: "ä" and "ae"; not at the end (Joe and Jo are a man and a woman), before a vowel (Joey, Joy), nor in Michael and Michal, Noel,
#: Samuel.
_UMLAUT = re.compile(r"(?<=[a-z])([aou])e(?=[b-df-hj-np-tv-xz])(?!l$)|^([aou])e(?=[a-z]{2})(?!l$)")
#: Đorđe and Djordje: the bar of đ is gone already. Not Nadja and Nada.
_DJ = re.compile("dj(?=[eo])")
#: "Servant of …": Abd al-Rahman, Abdulrahman, Abdurrahman.
_ABD = re.compile(r"^abd[aeiou]+(?:l|([a-z])(?=\1))(?=\w{2})")
_SERVANT = frozenset({"abd", "abdul", "abdel", "abdal", "abdoul"})
#: Ends of women's family names → of men's.
_WOMENS = (
    (re.compile(r"(?:skaya|skaia|ska)$"), "ski"),
    (re.compile(r"(c|dz)ka$"), r"\1ki"),
    (re.compile(r"(?<=[a-z]{2})(ov|ev|in|yn)a$"), r"\1"),
    (re.compile(r"opoulou$"), "opoulos"),
    (re.compile(r"idou$"), "idis"),
    (re.compile(r"aki$"), "akis"),
)
_MENS = re.compile(r"(?:skyy|skyi|skiy|skij|skii|sky)$")


@lru_cache(maxsize=8192)
def latin(word: str) -> str:
    """A Cyrillic or Greek word (as `words_of` gives it) in Latin letters; every other word as it is."""
    if not _OTHER_SCRIPT.search(word):
        return word
    for pair, letters in _GREEK_PAIRS:
        word = word.replace(pair, letters)
    word = f"b{word[2:]}" if word.startswith("μπ") else word.replace("μπ", "mp")
    word = _GREEK_EV.sub("ev", word).replace("ευ", "ef")
    return word.translate(_LATIN)


@lru_cache(maxsize=8192)
def scripts_of(text: str) -> frozenset[str]:
    """The scripts of a text's letters, as Unicode names them; those that are compared with each other count as one."""
    names = (unicodedata.name(letter, "").partition(" ")[0] for letter in text if letter.isalpha())
    return frozenset(_COMPARED_AS.get(name, name) for name in names if name)


@lru_cache(maxsize=8192)
def plain_spelling(word: str) -> str:
    """One spelling for "ä" and "ae", "ø" and "oe", "å" and "aa", "đe" and "dje"; accents are gone already."""
    return _UMLAUT.sub(lambda match: match[1] or match[2], _DJ.sub("d", word.replace("aa", "a")))


@lru_cache(maxsize=8192)
def given_spelling(word: str) -> str:
    """`plain_spelling` of a given name, with one spelling for the names that begin with "Abd al-"."""
    return _ABD.sub("abd", plain_spelling(word))


def joined_servant(words: Sequence[str]) -> list[str]:
    """Given names in which "Abd al-Rahman" and "Abdul Rahman" are one word, as they are one name."""
    if len(words) < 2 or words[0] not in _SERVANT:
        return list(words)
    rest = words[2:] if words[1] in {"al", "el", "ul", "ur", "er"} and len(words) > 2 else words[1:]
    return [f"abdul{rest[0]}", *rest[1:]]


def _variants() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, line in enumerate(VARIANTS.split(";")):
        for word in line.split():
            found.setdefault(given_spelling(word), set()).add(number)
    return {word: frozenset(numbers) for word, numbers in found.items()}


_NAMES = _variants()


def names_of(word: str) -> frozenset[int]:
    """The numbers of the given names that a word is a form of; empty where it is in no list."""
    return _NAMES.get(given_spelling(latin(word)), frozenset())


def same_word(x: str, y: str) -> bool:
    """Whether two words of a name are one word, in two spellings or in two alphabets."""
    return plain_spelling(x) == plain_spelling(y) or (_are_of_two_alphabets(x, y) and _loose(x) == _loose(y))


def same_given(x: str, y: str) -> bool:
    """Whether two words are forms of one given name."""
    if same_word(x, y) or given_spelling(x) == given_spelling(y):
        return True
    if _are_of_two_alphabets(x, y):
        return bool(_LOOSE.get(_loose(x), frozenset()) & _LOOSE.get(_loose(y), frozenset()))
    return bool(names_of(x) & names_of(y))


def _are_of_two_alphabets(x: str, y: str) -> bool:
    return bool(_OTHER_SCRIPT.search(x)) != bool(_OTHER_SCRIPT.search(y))


@lru_cache(maxsize=8192)
def _loose(word: str) -> str:
    """What is left where countries romanise differently: i and y (и is either), kh and h, ie and e."""
    letters = re.sub("[jy]", "i", plain_spelling(latin(word))).replace("kh", "h").replace("ie", "e")
    for sound, letter in (("sch", "s"), ("sh", "s"), ("zh", "z"), ("ch", "c"), ("ts", "c")):
        letters = letters.replace(sound, letter)
    return re.sub(r"(.)\1+", r"\1", letters)


def _loose_variants() -> dict[str, frozenset[int]]:
    found: dict[str, frozenset[int]] = {}
    for word, numbers in _NAMES.items():
        found[_loose(word)] = found.get(_loose(word), frozenset()) | numbers
    return found


_LOOSE = _loose_variants()
_ALIKE = {word: frozenset(line.split()) for line in LOOK_ALIKE.split(";") for word in line.split()}


@lru_cache(maxsize=8192)
def mens_form(family: str) -> str:
    """A family name in the form that the men of the family have: Kowalska → kowalski, Nováková → novak, Ivanova → ivanov."""
    plain = plain_spelling(latin(family))
    for ending, mens in _WOMENS:
        if ending.search(plain):
            return ending.sub(mens, plain)
    return _MENS.sub("ski", plain)


def differ_by_gender(a: str, b: str) -> bool:
    """Whether two family names are the man's and the woman's form of one: Novák and Nováková, Kowalski and Kowalska."""
    x, y = plain_spelling(latin(a)), plain_spelling(latin(b))
    if x == y:
        return False
    return mens_form(x) == mens_form(y) or _czech(x, y) or _czech(y, x)


def _czech(woman: str, man: str) -> bool:
    """Czech and Slovak add -ová to the man's name, which may lose its last vowel: Novák, Svoboda, Hašek (Hašková)."""
    stem = woman.removesuffix("ova")
    return stem != woman and len(stem) > 2 and man in {stem, f"{stem}a", f"{stem}o", f"{stem[:-1]}e{stem[-1]}"}


def misspelt(x: str, y: str) -> bool:
    """Whether one wrong, missing or exchanged letter inside a long family name tells two apart; first and last letter agree."""
    return _are_close(x, y) and one_letter_apart(x, y)


def one_letter_apart(x: str, y: str) -> bool:
    """Whether one wrong, missing or exchanged letter tells two words apart."""
    rest_x, rest_y = _behind_what_agrees(x, y)
    return rest_x[1:] == rest_y[1:] or rest_x[1:] == rest_y or rest_x == rest_y[1:] or _exchanged(rest_x, rest_y)


def misspelt_given(x: str, y: str) -> bool:
    """Whether two given names differ as misspellings do: two letters exchanged, one doubled, an h more, c for k, i for y.

    Any other letter makes another name too often, above all of sisters and brothers: Marina and Martina, Adriana and Ariana,
    Angelica and Angelina. So does every letter of a Chinese name, and some ends: Désiré and Désirée.
    """
    if not _are_close(x, y) or x in _ALIKE.get(y, ()) or _differ_by_ending(x, y):
        return False
    if _PINYIN.fullmatch(x) and _PINYIN.fullmatch(y):
        return False
    if _exchanged(*_behind_what_agrees(x, y)):
        return True
    return _sounding(x) == _sounding(y)


def _differ_by_ending(x: str, y: str) -> bool:
    """Whether a man's and a woman's name differ by a doubled letter only: Honoré, Emanuele and Kristinn, and who is a woman."""
    short, long = sorted((x, y), key=len)
    return any(long.endswith(double) and long.removesuffix(double) + one == short for one, double in _DOUBLED)


def _are_close(x: str, y: str) -> bool:
    return min(len(x), len(y)) >= LONG and abs(len(x) - len(y)) <= 1 and x[0] == y[0] and x[-1] == y[-1]


def _behind_what_agrees(x: str, y: str) -> tuple[str, str]:
    begin = next((i for i, (p, q) in enumerate(zip(x, y, strict=False)) if p != q), min(len(x), len(y)))
    return x[begin:], y[begin:]


def _exchanged(x: str, y: str) -> bool:
    return x[:2] == y[1::-1] and x[2:] == y[2:]


def _sounding(word: str) -> str:
    """The word with one letter for those that are taken for each other, without h and doubled letters.

    "ch" sounds like k in Christa, not in Sachiko.
    """
    return re.sub(r"(.)\1+", r"\1", re.sub("ch(?=[iou])", "x", word).translate(_SOUNDS))


def initials_of(word: str) -> tuple[str, ...]:
    """The letters of a pair of initials written in one word ("JP", "AJ"); empty for a word that may be a name."""
    if names_of(word):
        return ()
    pair = 2 <= len(word) <= 3 and word.isascii() and word.isalpha() and not set(word) & set("aeiouy")
    return tuple(word) if pair or (len(word) == 2 and word.endswith("j") and word.isascii()) else ()
