"""Whether two names may belong to one person, in grades. Pure and symmetric; never carried over by a third name.

STRONG: the given name is the same or a known variant of it, and the family names are compatible.
WEAK: initials, one given name of two, a missing part, a likely misspelling, the same given name with another family name.
NONE: nothing to compare: one of the names has no given name, and the rest does not contradict; or the names are in
scripts that are not compared.
AGAINST: another given name (also where both stand behind one frequent surname), another generation, another salutation
without a given name, a couple, a household or a company against a person, another person named beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum
from functools import lru_cache

from connector.sync.person.names import Parts, PersonName, couple_words, name_key, read_parts
from connector.sync.person.spelling import (
    differ_by_gender,
    given_spelling,
    initials_of,
    latin,
    misspelt,
    misspelt_given,
    plain_spelling,
    same_given,
    same_word,
    scripts_of,
)
from connector.sync.person.tables import (
    BEFORE_NAMES,
    FAMILY,
    FATHERS_NAMES,
    HAN,
    HONORIFICS,
    KHUN,
    OF_THEIR_OWN,
    PARTICLES,
    SURNAMES,
    UNISEX,
    VIETNAMESE,
    VIETNAMESE_MIDDLE,
)
from connector.sync.person.words import words_of

#: Katakana to hiragana, one syllable each, 0x60 apart; Arabic letters without vowel and hamza marks, final forms as usual ones.
_ONE_LETTER = {
    **{code: code - 0x60 for code in range(0x30A1, 0x30F7)},
    **dict.fromkeys([0x640, *range(0x64B, 0x656)], None),
    **dict.fromkeys([0x622, 0x623, 0x625, 0x671], 0x627),
    0x649: 0x64A,
    0x629: 0x647,
    # Persian letters, as Arabic keyboards write them.
    0x6CC: 0x64A,
    0x6A9: 0x643,
    **{ord(other): ord(group[0]) for group in HAN.split() for other in group[1:]},
}


class Agreement(IntEnum):
    """What comparing two names says, from the strongest contradiction to the strongest support."""

    AGAINST = 0
    NONE = 1
    WEAK = 2
    STRONG = 3


@lru_cache(maxsize=1024)
def names_agree(a: PersonName, b: PersonName) -> Agreement:
    """Grade the evidence that two names give; see the module. Blank names give NONE."""
    if a.blank or b.blank:
        return Agreement.NONE
    if _unspaced(a) & _unspaced(b):
        return Agreement.STRONG
    one, two = read_parts(a), read_parts(b)
    if one.company and two.company and FAMILY & {*one.given, *one.family}:
        return Agreement.NONE if name_key(a) == name_key(b) else Agreement.AGAINST
    if one.beside or two.beside or one.company or two.company:
        return Agreement.STRONG if _same_text(a, b) else Agreement.AGAINST
    if one.generation != two.generation:
        return Agreement.AGAINST
    return _graded(one, two)


def _graded(one: Parts, two: Parts) -> Agreement:
    """Grade two single persons of one generation."""
    grade = _compared(one, two)
    if _is_swap(one, two):
        # Which of the two fields holds the given name is not known: an initial in either makes it weak.
        swapped = min(_compared(one, _swapped(two)), _compared(_swapped(one), two))
        grade = max(grade, min(swapped, Agreement.WEAK) if _may_be_father(one) else swapped)
    if _swapped_letters(one, two):
        return Agreement.STRONG
    lifted = grade is Agreement.AGAINST and _in_other_scripts(one, two) and not _salutations_differ(one, two)
    return Agreement.NONE if lifted else grade


def _in_other_scripts(one: Parts, two: Parts) -> bool:
    """Whether the names only seem to differ because they are written in scripts that are not compared: 王伟 and Wang Wei.

    Where both family names can be compared, they must not contradict.
    """
    if one.given and two.given:
        if scripts_of("".join((*one.given, *two.given))) == {"CJK", "HIRAGANA"} and _same_words(one.family, two.family):
            # Who writes the family name in characters writes the given name as it is written: Sayuri in kana is not Taro.
            return False
        families = _no_common_script(one.family, two.family) or _families(one, two) is not Agreement.AGAINST
        return families and _no_common_script(one.given, two.given)
    return _no_common_script(one.family or one.given, two.family or two.given)


def _no_common_script(a: Sequence[str], b: Sequence[str]) -> bool:
    return bool(a and b) and not scripts_of("".join(a)) & scripts_of("".join(b))


def _swapped_letters(one: Parts, two: Parts) -> bool:
    """Whether only order, gaps or the place of the split differ: "Kim Min Jun", split as a Western name, and "Min-jun Kim"."""
    words = (*one.given, *one.family, *two.given, *two.family)
    if not all((one.given, one.family, two.given, two.family)) or any(len(word) == 1 for word in words):
        return False
    three = len(one.given) + len(one.family) > 2 or len(two.given) + len(two.family) > 2
    if not three or _salutations_differ(one, two):
        return False
    a, b = (*one.given, *one.family), (*two.given, *two.family)
    if _same_joined(a, b) or _may_be_father(one):
        return _same_joined(a, b)
    return _same_joined(a, (*two.family, *two.given)) or _same_joined((*one.family, *one.given), b)


def _same_text(a: PersonName, b: PersonName) -> bool:
    """Whether a couple's or a company's names are one; "Leo for Kate" is not "Kate for Leo"."""
    couple = couple_words(a)
    if couple and couple == couple_words(b):
        return True
    orders = (words_of(f"{b.first} {b.last}"), words_of(f"{b.last} {b.first}"))
    return words_of(f"{a.first} {a.last}") in orders


def _unspaced(name: PersonName) -> set[str]:
    """The name without gaps, in both orders, where its script has no cases, as in Chinese and Japanese.

    Forms of address at its end are left out, and katakana are compared as hiragana.
    """
    first, last = (_unaddressed("".join(words_of(part)).translate(_ONE_LETTER)) for part in (name.first, name.last))
    whole = first + last
    return {whole, last + first} if len(whole) > 1 and whole.upper() == whole.lower() else set()


def _unaddressed(word: str) -> str:
    word = word.removeprefix(KHUN) if len(word) > len(KHUN) + 1 else word
    ending = next((honorific for honorific in HONORIFICS if word.endswith(honorific)), "")
    return word.removesuffix(ending) if len(word) > len(ending) + 1 else word


def _swapped(parts: Parts) -> Parts:
    return replace(parts, given=parts.family, family=parts.given, surname="".join(parts.given))


def _is_swap(one: Parts, two: Parts) -> bool:
    """Whether the same words stand in each other's fields, also where all of them stand in one."""
    return bool(one.given) and bool(two.given) and _same_words(one.given, two.family) and _same_words(one.family, two.given)


def _may_be_father(parts: Parts) -> bool:
    """Whether the name in the other order may be the father's, as where sons have his name behind theirs: Mohammed Ahmed."""
    return all(any(same_given(word, name) for name in FATHERS_NAMES) for word in (*parts.given, *parts.family))


def _compared(one: Parts, two: Parts) -> Agreement:
    if not one.given or not two.given:
        return _without_given(one, two)
    if not one.family and not two.family and min(len(one.given), len(two.given)) > 1 and _same_words(one.given, two.given):
        return Agreement.STRONG
    family = _families(one, two)
    given = _givens(one.given, two.given)
    if _salutations_differ(one, two):
        given = Agreement.AGAINST if _by_initial(one.given, two.given) else min(given, Agreement.WEAK)
    if given is Agreement.STRONG and _begin_with_surname(one, two):
        return given if _same_words(one.family, two.family) else min(_givens(one.family, two.family), Agreement.WEAK)
    return _weighed(one, two, given, family)


def _weighed(one: Parts, two: Parts, given: Agreement, family: Agreement) -> Agreement:
    """Grade two names of which given and family names are graded."""
    if family is Agreement.AGAINST and (_east_asian(one.given) or _says_little(one.given) or _are_singh_and_kaur(one, two)):
        return Agreement.AGAINST
    if given is Agreement.AGAINST or family is Agreement.STRONG:
        return given
    if len(one.family) == len(two.family) == 1 and differ_by_gender(one.family[0], two.family[0]):
        return _across_gender(one.given, two.given, given)
    if family is Agreement.WEAK:
        return min(given, Agreement.WEAK)
    return Agreement.WEAK if given is Agreement.STRONG and not _by_initial(one.given, two.given) else Agreement.AGAINST


def _begin_with_surname(one: Parts, two: Parts) -> bool:
    """Whether what is equal is a family's surname, in the first field: "Nguyen, Linh" and "Nguyen, Minh"; "Nguyen Van, An"."""
    if not one.family or not two.family or len(one.given) != len(two.given):
        return False
    surname, *middle = one.given
    if middle:
        return surname in VIETNAMESE and set(middle) <= VIETNAMESE_MIDDLE
    return latin(surname) in SURNAMES | VIETNAMESE


def _east_asian(words: Sequence[str]) -> bool:
    """Whether it is Chinese, Japanese or Korean: often the family name, whose bearers are siblings and not one bride."""
    return bool(scripts_of("".join(words)) & {"CJK", "HANGUL", "HIRAGANA"})


def _says_little(given: Sequence[str]) -> bool:
    """Whether a given name stands before the real one, which is in the other field: Siti Aminah, Mohammed Danish."""
    return len(given) == 1 and (given[0] in BEFORE_NAMES or same_given(given[0], "mohammed"))


def _are_singh_and_kaur(one: Parts, two: Parts) -> bool:
    """Whether a Sikh man and a woman share a given name, as they may."""
    return any("singh" in x.family and "kaur" in y.family for x, y in ((one, two), (two, one)))


def _across_gender(a: Sequence[str], b: Sequence[str], given: Agreement) -> Agreement:
    """Kowalski and Kowalska: one person written twice, or, where the given name fits both, a couple."""
    if _by_initial(a, b) or initials_of(a[0]) or initials_of(b[0]):
        return Agreement.AGAINST
    return min(given, Agreement.WEAK) if UNISEX & {latin(a[0]), latin(b[0])} else given


def _salutations_differ(one: Parts, two: Parts) -> bool:
    return bool(one.salutation and two.salutation) and one.salutation != two.salutation


def _without_given(one: Parts, two: Parts) -> Agreement:
    """At least one side has no given name: its words may be the surname, or all of the name in one field."""
    lone, other = (one, two) if not one.given else (two, one)
    if _salutations_differ(one, two):
        return Agreement.AGAINST
    if other.given:
        return _lone_field(lone.family, other, _families(lone, other))
    if len(lone.family) > 1 and _same_words(lone.family, other.family):
        return Agreement.STRONG
    return Agreement.AGAINST if _families(one, two) is Agreement.AGAINST else Agreement.NONE


def _lone_field(words: Sequence[str], other: Parts, family: Agreement) -> Agreement:
    """Compare a name in one field with one in two: the whole name, the surname, or the given name alone."""
    wholes = ((*other.given, *other.family), (*other.family, *other.given))
    if len(words) > 1 and any(_same_words(words, whole) for whole in wholes):
        return Agreement.STRONG
    if _same_words(words, other.given):
        return Agreement.WEAK
    return Agreement.AGAINST if family is Agreement.AGAINST else Agreement.NONE


def _families(one: Parts, two: Parts) -> Agreement:
    """STRONG: compatible; WEAK: missing, or a likely misspelling; AGAINST: different."""
    a, b = one.family, two.family
    if not a or not b:
        return Agreement.WEAK
    if _same_words(a, b) or plain_spelling(one.surname) == plain_spelling(two.surname):
        return Agreement.STRONG
    x, y = set(_plain(a)), set(_plain(b))
    if x < y or y < x:
        return Agreement.STRONG
    if (one.maiden and _same_words(one.maiden, b)) or (two.maiden and _same_words(two.maiden, a)):
        return Agreement.STRONG
    return Agreement.WEAK if len(a) == len(b) == 1 and misspelt(a[0], b[0]) else Agreement.AGAINST


def _givens(a: Sequence[str], b: Sequence[str]) -> Agreement:
    """Compare given names; the first word is the name by which people go."""
    if _same_joined(a, b) or _same_words(a, b):
        return Agreement.WEAK if _initials_only(a) or _initials_only(b) else Agreement.STRONG
    a, b = _spelled_out(_without_particles(a)), _spelled_out(_without_particles(b))
    rest = _rest_agrees(a[1:], b[1:])
    if same_given(a[0], b[0]) or _abbreviates(a[0], b[0]):
        # "H. Dieter" is not "Hanna": the name that follows the initial is missing.
        lost = _lacks_what_follows(a, b) or _lacks_what_follows(b, a)
        return Agreement.AGAINST if lost else min(rest, _first_agrees(a[0], b[0]))
    if _is_after_initial(a, b) or _is_after_initial(b, a) or (len(a) == len(b) == 1 and misspelt_given(a[0], b[0])):
        return Agreement.WEAK
    return Agreement.AGAINST


def _without_particles(words: Sequence[str]) -> Sequence[str]:
    """María Carmen for "María del Carmen"; the first word is a name whatever it is."""
    return (words[0], *(word for word in words[1:-1] if word not in PARTICLES), *words[1:][-1:])


def _spelled_out(words: Sequence[str]) -> Sequence[str]:
    """The letters of "JP", where that is the whole given name."""
    return (initials_of(words[0]) or words) if len(words) == 1 else words


def _abbreviates(x: str, y: str) -> bool:
    short, long = sorted((latin(x), latin(y)), key=len)
    # Only letters that have a case abbreviate: one Chinese character is a whole name.
    return len(short) == 1 and short.upper() != short and long.startswith(short)


def _first_agrees(x: str, y: str) -> Agreement:
    """WEAK for an initial, and for a form that is short for another one's name too: "Alex", a man or a woman; "Liam"."""
    if min(len(x), len(y)) == 1 and (x.isascii() or y.isascii() or x != y):
        return Agreement.WEAK
    of_another = {latin(x), latin(y)} & (UNISEX | OF_THEIR_OWN)
    return Agreement.WEAK if given_spelling(x) != given_spelling(y) and of_another else Agreement.STRONG


def _lacks_what_follows(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether `a` has an initial and a name of which `b` has only the first."""
    return len(a[0]) == 1 and any(len(word) > 1 for word in a[len(b) :])


def _is_after_initial(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether `b` begins with the name that follows an initial in `a`: "D. Juan" and "Juan"."""
    return len(a) > 1 and len(a[0]) == 1 and len(a[1]) > 1 and a[0].isalpha() and same_given(a[1], b[0])


def _rest_agrees(a: Sequence[str], b: Sequence[str]) -> Agreement:
    """Compare further given names: an initial more or less says nothing, a name more or less makes it weak."""
    for x, y in zip(a, b, strict=False):
        short, long = sorted((x, y), key=len)
        if not same_given(x, y) and not (len(short) == 1 and latin(long).startswith(latin(short))):
            return Agreement.AGAINST
    surplus = [*a[len(b) :], *b[len(a) :]]
    return Agreement.STRONG if all(len(word) == 1 for word in surplus) else Agreement.WEAK


def _initials_only(words: Sequence[str]) -> bool:
    return all(len(word) == 1 and word.isascii() for word in words)


def _by_initial(a: Sequence[str], b: Sequence[str]) -> bool:
    return len(a[0]) == 1 or len(b[0]) == 1


def _same_words(a: Sequence[str], b: Sequence[str]) -> bool:
    x, y = _plain(a), _plain(b)
    return bool(a) and len(x) == len(y) and all(map(same_word, x, y))


def _plain(words: Sequence[str]) -> tuple[str, ...]:
    core = tuple(word for word in words if word not in PARTICLES)
    return core or tuple(words)


def _same_joined(a: Sequence[str], b: Sequence[str]) -> bool:
    return bool(_joined(a) & _joined(b))


def _joined(words: Sequence[str]) -> set[str]:
    """The words without gaps: as they are written, and in one spelling for umlauts, which never span two words.

    Young-Jae Hale is not Young-Ja Hale, and Jae-Hoon is not Ja-Hoon.
    """
    return {"".join(words), "".join(map(plain_spelling, words))}
