"""Write the skeleton of a new integration: `python scripts/new_integration.py crm NAME`, or `booking-system NAME`.

The templates lie beside this file, at the paths their files get, with NAME in place of the name and `.txt` at the end.
"""

from __future__ import annotations

import argparse
import keyword
import re
from pathlib import Path
from string import Template

ROOT = Path(__file__).parent.parent
TEMPLATES = Path(__file__).parent / "templates"
FAMILIES = {"crm": "CRMS", "booking-system": "BOOKING_SYSTEMS"}
#: Folders beside those of the products, in one of the families' rooms or in the sandboxes'.
TAKEN = frozenset({"base", "kit"})
PLACES = """\
Edit these four files; until that is done the tests of tests/test_docs.py fail that are named:

  connector/registry.py    "{name}": "{module}:{cls}" in {table}    test_every_integration_is_registered
  config.example.toml      [{section}.…] with system = "{name}", every key    test_every_integration_is_in_the_example
  docs/integrations.md     a row | `{name}` | […](…) | in the table    test_every_integration_is_documented
  CHANGELOG.md             a line with {title}, in users' words    test_every_integration_is_in_the_changelog

Then: .venv/bin/pytest -q tests/contract -k {name}    (they fail until the sandbox and the adapter are written)
Next: docs/adding-an-integration.md"""


def fault(name: str, root: Path = ROOT) -> str | None:
    """What is wrong with a name for a new integration; None: nothing."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or name in TAKEN:
        return f'NAME="{name}" must be a lower-case Python identifier such as "acme_crm"'
    for room in ("crms", "booking_systems", "sandbox"):
        if (root / "connector" / room / name).exists():
            return f'NAME="{name}" exists already: connector/{room}/{name}'
    return None


def write(family: str, name: str, root: Path = ROOT) -> list[Path]:
    """Write every file of the skeleton below `root` and return their paths; an existing file is an OSError."""
    values = {"name": name, "title": title(name), "cls": title(name).replace(" ", ""), "env": name.upper()}
    made = []
    for template in sorted((TEMPLATES / family).rglob("*.txt")):
        relative = template.relative_to(TEMPLATES / family).as_posix()
        path = root / relative.replace("NAME", name).removesuffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(Template(template.read_text(encoding="utf-8")).substitute(values))
        made.append(path)
    return made


def title(name: str) -> str:
    """The product's name for people, until somebody writes it as the vendor does."""
    return name.replace("_", " ").title()


def main() -> None:
    """Check the name, write the files, and say what is left to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=sorted(FAMILIES))
    parser.add_argument("name")
    given = parser.parse_args()
    if wrong := fault(given.name):
        parser.exit(2, f"{wrong}\n")
    for path in write(given.family, given.name):
        print(f"wrote {path.relative_to(ROOT)}")
    table = FAMILIES[given.family]
    shown = title(given.name)
    module = f"connector.{table.lower()}.{given.name}.adapter"
    section = "crm" if given.family == "crm" else "booking"
    values = {"name": given.name, "title": shown, "cls": shown.replace(" ", "")}
    print("\n" + PLACES.format(table=table, module=module, section=section, **values))


if __name__ == "__main__":
    main()
