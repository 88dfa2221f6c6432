"""Mistakes in the file that need a look at what stands there, and sentences about them that never repeat a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

#: What people name variables: words in capitals. A key that was pasted where a name belongs hardly ever looks so.
_VARIABLE = re.compile(r"[A-Z]{1,14}[0-9]{0,2}(?:_[A-Z0-9]{1,14}){0,7}")
#: What people call the file of a secret.
_FILE = re.compile(r"[\w.-]{1,40}\.(?:txt|key|secret|token|pem|crt|cer)")
#: Ways of other programs to name a variable inside a text.
_REFERENCE = re.compile(
    r"\$\{?([A-Za-z_]\w*)\}?|%([A-Za-z_]\w*)%|\{\{?\s*\$?(?:env[.:])?([A-Za-z_]\w*)\s*\}?\}|env:([A-Za-z_]\w*)"
)
#: What text programs and web pages make of quotes.
_CURLY = re.compile("[\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019]")
_LINE = re.compile(r"at line (\d+)")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_HEADER = re.compile(r"\s*(\[\[?[^\]]*\]\]?)")


def looks_like_a_variable(name: str) -> bool:
    """Whether the name of an environment variable may be repeated in an error: it is no key pasted by mistake."""
    return bool(_VARIABLE.fullmatch(name)) and sum(letter.isdigit() for letter in name) <= 4


def shown(name: str) -> str:
    """The name for an error, or nothing of it."""
    return name if looks_like_a_variable(name) else "that is named there"


def file_shown(base: Path, name: str) -> str:
    """The file of a secret for an error: its path where it is one, and nothing of it where a secret was pasted instead."""
    path = base / name
    try:
        is_path = path.exists() or bool(_FILE.fullmatch(name)) or ("/" in name and path.parent.is_dir())
    except (OSError, ValueError):
        is_path = False
    return f"the file {path}" if is_path else "the file that is named there"


def reference(text: str, environ: Mapping[str, str]) -> str | None:
    """What is wrong with a plain secret that is the name of a variable in truth; None when it is none."""
    if found := _REFERENCE.fullmatch(text.strip()):
        name = next(group for group in found.groups() if group)
    elif looks_like_a_variable(text) and text in environ:
        name = text
    else:
        return None
    name = name if looks_like_a_variable(name) else "NAME"
    return f'is the name of a variable in text, and would be sent as text; write {{ env = "{name}" }}'


def toml_fault(message: str, text: str) -> str:
    """One sentence about a file that is no TOML, from tomllib's words and the file's text; repeats keys, but no value."""
    found = _LINE.search(message)
    lines = text.splitlines()
    number = min(int(found[1]) if found else len(lines), len(lines))
    if "Cannot overwrite" in message or "Duplicate inline" in message:
        number, key = _key_at(lines, number)
        table = next((header[1] for line in reversed(lines[:number]) if (header := _HEADER.match(line))), "")
        inside = f" in {table}" if table else ""
        return f"line {number}: {key} is given a second time{inside}; remove one of the two"
    if "Cannot declare" in message and (header := _HEADER.match(lines[number - 1])):
        return f"line {number}: the table {header[1]} is given a second time; join the two"
    if found and (odd := _CURLY.search(lines[number - 1] if lines else "")):
        return f'line {number}: holds the typographic quote {odd[0]}; type plain quotes (") instead'
    return f"is not valid TOML: {message}; correct it there (text needs quotes)"


def _key_at(lines: list[str], number: int) -> tuple[int, str]:
    """The line on which the value that ends on line `number` begins, and its key."""
    for at in range(number, 0, -1):
        if found := _KEY.match(lines[at - 1]):
            return at, found[1]
    return number, "a key"
