"""The project says one thing with one word, in plain English: code, messages and docs use the words of the field."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: Words that nobody outside the project would understand, and what to write instead.
BANNED = {
    r"far[\s-]?sides?": "remote system",
    r"stand-?ins?": "sandbox",
    r"mend(s|ed|ing)?": "fix",
    r"troubles?": "problem",
    r"deeds?": "action",
    r"errands?": "follow-up",
    r"rehears\w*": "dry run",
    r"steer\w*": "control",
    r"knobs?": "setting",
    r"unsaid": "missing",
    r"doors?": "receiver",
}
#: The same for the package and the docs alone: a test may have variables of such names.
BANNED_FOR_READERS = {
    r"told": "said, reported, logged, asked",
    r"anew": "again",
    r"kin": "and the like",
    r"whomever": "anybody",
}
#: The same for what operators read outside the code: turns of phrase that a reader of another language needs twice.
BANNED_FOR_OPERATORS = {
    r"whoever": "anybody who, a user who",
    r"not said": "not given, empty",
    r"comes? again": "is repeated",
    r"demand(s|ed)?": "require",
    r"[a-z]+\(s(?=\))": "the plural, or one of two texts",
    r"nobody is (made|created)": "no customer is created",
    r"all the same": "anyway, still",
    r"on (its|their) way": "in progress",
    r"tidy up": "clean up",
    r"towns?": "test data",
    r"what is left": "the rest",
    r"but for those": "except",
    r"said once": "logged once",
    r"look-ups?": "lookup",
}
#: The first version's tables, and the change that renamed a column of them.
HISTORY = re.compile(r"connector/store/\w+/(first_tables|schema)\.py")


def texts() -> list[Path]:
    """What people read: everything the project has written, but for the history and this list."""
    found = [path for folder in ("connector", "tests", "benchmarks", "docs") for path in sorted((ROOT / folder).rglob("*"))]
    found += [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "config.example.toml", "Makefile")]
    return [
        path
        for path in found
        if path.suffix in {".py", ".md", ".html", ".toml", ""} and path.is_file() and path != Path(__file__)
    ]


def banned_words(text: str, banned: dict[str, str] = BANNED) -> list[str]:
    """Every banned word of a text with what to write instead, also where it is a part of a name."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text).lower()
    if not re.search(rf"\b(?:{'|'.join(banned)})\b", plain):  # nearly always, and at a sixth of the time
        return []
    return [
        f"{match.group(0)!r}: write {plainer!r}"
        for word, plainer in banned.items()
        for match in re.finditer(rf"\b{word}\b", plain)
    ]


@pytest.mark.parametrize("path", texts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_private_words(path: Path):
    assert banned_words(path.read_text(encoding="utf-8", errors="replace")) == []


@pytest.mark.parametrize("path", texts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_private_words_for_readers(path: Path):
    name = path.relative_to(ROOT).as_posix()
    if not name.startswith(("tests/", "benchmarks/")) and not HISTORY.match(name):
        assert banned_words(path.read_text(encoding="utf-8", errors="replace"), BANNED_FOR_READERS) == []


@pytest.mark.parametrize(
    "path",
    [path for path in texts() if path.suffix in {".md", ".toml", ".html"} and "adr" not in path.parts],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_phrases_that_operators_must_read_twice(path: Path):
    assert banned_words(path.read_text(encoding="utf-8"), BANNED_FOR_OPERATORS) == []


@pytest.mark.parametrize(
    "text", ["3 merchant(s)", "Whoever asks", "the senders come again", "a look-up", "they are on their way"]
)
def test_a_phrase_to_be_read_twice_is_found(text: str):
    assert banned_words(text, BANNED_FOR_OPERATORS)


@pytest.mark.parametrize(
    "text", ["the far side", "far_side = 1", "class FarSide:", "def _trouble(self)", "a stand-in", "Mend it."]
)
def test_a_banned_word_is_found_in_prose_and_in_names(text: str):
    assert banned_words(text)


@pytest.mark.parametrize("text", ["amend the entry", "outdoors", "indeed", "the remote system", "recommended"])
def test_other_words_that_contain_one_are_not(text: str):
    assert banned_words(text) == []
