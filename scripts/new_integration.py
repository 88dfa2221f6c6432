"""Write the skeleton of a new integration: `python scripts/new_integration.py crm NAME`, or `booking-system NAME`.

The templates lie beside this file, at the paths their files get, with NAME in place of the name and `.txt` at the end.
Each `Insert` adds what the integration needs in the four files that all integrations share.
"""

from __future__ import annotations

import argparse
import keyword
import re
from pathlib import Path
from string import Template
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
TEMPLATES = Path(__file__).parent / "templates"
#: Folders beside those of the products, in one of the families' rooms or in the sandboxes'.
TAKEN = frozenset({"base", "kit"})


class Insert(NamedTuple):
    """A text for a shared file, put behind the first place that reads `after`; None: at the end."""

    file: str
    after: str | None
    text: str


_KEYS = """
# Written by a template: the keys are still those of the template.
# [$table.$name]
# system = "$name"
# token = { env = "${env}_TOKEN" }
# # base_url = "https://$name.example.com"
# # limits = { per_second = 5 }
# # timeout_seconds = 20.0
"""
_SYNC = """#
# [booking.$name.webhook]
# verify = "token"
# tokens = [{ env = "${env}_WEBHOOK_TOKEN" }]
#
# [[sync]]
# booking = "$name"
# crm = "main"
"""
_BOOKING_CAPABILITIES = "| $title | yes | yes | – | – | – |\n"
_CRM_CAPABILITIES = "| $title | – | – | yes | – | – |\n"
_ROW = "| `$name` | [$title](../connector/$room/$name/README.md) | – | – | – | – | – | not written yet |\n"
INSERTS = {
    "crm": (
        Insert("connector/registry.py", "\nCRMS = {\n", '    "$name": "connector.crms.$name.adapter:$cls",\n'),
        Insert("config.example.toml", None, _KEYS),
        Insert(
            "docs/integrations.md",
            "| system | product | find | create | fill blanks | appointments | watch | tried with |\n",
            _ROW,
        ),
        Insert("docs/integrations.md", "| CRM | ", _CRM_CAPABILITIES),
        Insert("CHANGELOG.md", "### Added\n\n", "- **$title** as a CRM. Not written yet.\n"),
    ),
    "booking-system": (
        Insert(
            "connector/registry.py", "\nBOOKING_SYSTEMS = {\n", '    "$name": "connector.booking_systems.$name.adapter:$cls",\n'
        ),
        Insert("config.example.toml", None, _KEYS + _SYNC),
        Insert(
            "docs/integrations.md", "| system | product | verify | parse | backfill | write-back | watch | tried with |\n", _ROW
        ),
        Insert("docs/integrations.md", "| booking system | ", _BOOKING_CAPABILITIES),
        Insert("CHANGELOG.md", "### Added\n\n", "- **$title** as a booking system. Not written yet.\n"),
    ),
}


def fault(name: str, root: Path = ROOT) -> str | None:
    """What is wrong with a name for a new integration; None: nothing."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or name in TAKEN:
        return f'NAME="{name}" must be a lower-case Python identifier such as "acme_crm"'
    for room in ("crms", "booking_systems", "sandbox"):
        if (root / "connector" / room / name).exists():
            return f'NAME="{name}" exists already: connector/{room}/{name}'
    return None


def write(family: str, name: str, root: Path = ROOT) -> list[Path]:
    """Write the skeleton below `root`; return the paths of new and changed files.

    An existing file is an OSError, a shared file without the expected place a ValueError.
    """
    title = name.replace("_", " ").title()  # until somebody writes it as the vendor does
    room, table = ("crms", "crm") if family == "crm" else ("booking_systems", "booking")
    cls = title.replace(" ", "")
    values = {"name": name, "title": title, "cls": cls, "env": name.upper(), "room": room, "table": table}
    changed: dict[Path, str] = {}
    for one in INSERTS[family]:
        path = root / one.file
        changed[path] = _inserted(one, changed.get(path) or path.read_text(encoding="utf-8"), values)
    made = {}
    for template in sorted((TEMPLATES / family).rglob("*.txt")):
        relative = template.relative_to(TEMPLATES / family).as_posix()
        made[root / relative.replace("NAME", name).removesuffix(".txt")] = _filled(template, values)
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    for path, text in changed.items():
        path.write_text(text, encoding="utf-8")
    return [*made, *changed]


def _filled(template: Path, values: dict[str, str]) -> str:
    """The file of a template, its imports in the order that the linter wants: that depends on the name."""
    text = Template(template.read_text(encoding="utf-8")).substitute(values)
    return re.sub(r"(?m)(^from connector\..+\n)+", _sorted_imports, text)


def _sorted_imports(block: re.Match[str]) -> str:
    return "".join(sorted(block[0].splitlines(keepends=True), key=lambda line: line.split()[1]))


def _inserted(insert: Insert, text: str, values: dict[str, str]) -> str:
    """The text of a shared file with its new part."""
    new = Template(insert.text).substitute(values)
    if insert.after is None:
        return text + new
    head, place, rest = text.partition(insert.after)
    if not place:
        raise ValueError(f"{insert.file} has no line {insert.after.strip()!r}")
    if insert.after.startswith("| "):
        lines = rest.splitlines(keepends=True)
        under = next(number for number, line in enumerate(lines) if line.startswith("|---"))  # the line under a table's head
        place, rest = place + "".join(lines[: under + 1]), "".join(lines[under + 1 :])
    return head + place + new + rest


def main() -> None:
    """Check the name, write the files, and say what comes next."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=sorted(INSERTS))
    parser.add_argument("name")
    given = parser.parse_args()
    if wrong := fault(given.name):
        parser.exit(2, f"{wrong}\n")
    for path in write(given.family, given.name):
        print(f"wrote {path.relative_to(ROOT)}")
    print(f"\nThese tests fail until the sandbox and the adapter are written: pytest -q tests/contract -k {given.name}")
    print("Next: docs/adding-an-integration.md")


if __name__ == "__main__":
    main()
