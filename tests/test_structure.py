"""The figures of docs/architecture.md stay within limits: what grows past one is split, or the limit is argued about here."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
#: Rooms and files in the package's root, arrows between them, lines of a module and of a function.
ENTRIES, ARROWS, MODULE, FUNCTION = 17, 60, 400, 50


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("figures", ROOT / "scripts" / "figures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_root_is_seen_at_a_glance(figures):
    assert len(figures.root_entries()) <= ENTRIES, figures.root_entries()
    rooms = {room.strip() for layer in figures.layers() for room in layer.split("|")}
    assert {name.removesuffix(".py") for name in figures.root_entries()} - rooms == {
        "__init__",
        "__main__",
        "py.typed",
        "sandbox",
    }


def test_few_rooms_know_each_other(figures):
    arrows = figures.arrows()
    assert 40 < len(arrows) <= ARROWS, sorted(arrows)


def test_no_modules_import_each_other(figures):
    assert figures.cycles() == []


def test_every_module_and_function_is_short(figures):
    modules = {name: lines for name, lines in figures.modules().items() if lines > MODULE}
    functions = {name: lines for name, lines in figures.functions().items() if lines > FUNCTION}
    assert (modules, functions) == ({}, {})


def test_the_page_has_a_row_for_each_figure(figures):
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [what for what, _ in figures.figures() if f"| {what} | " not in page] == []


def test_a_command_that_asks_no_remote_system_does_not_import_what_would():
    """It is a fifth of what such a command does; `connector.remote.http` imports it with the first connection."""
    code = (
        "import sys, connector.cli, connector.registry as registry\n"
        "for name in registry.CRMS: registry.crm(name)\n"
        "for name in registry.BOOKING_SYSTEMS: registry.booking_system(name)\n"
        "print(sorted({'aiohttp', 'starlette', 'uvicorn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
