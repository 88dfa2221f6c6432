"""What nothing in the package reads is found here: functions, classes, attributes, constants, and columns of the database."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from connector.store.sqlite.database import SqliteDatabase

ROOT = Path(__file__).parent.parent / "connector"
#: Longer texts are prose; shorter ones may name what is read, as in `getattr(self, name)` or in a template.
NAMING = 60

#: Nothing in the package reads these by name, for a reason.
CALLED_BY_OTHERS = {
    "by_setting": "the tables of docs/integrations.md and the contract suite compare it",
    "emit": "logging calls it",
    "eof_received": "asyncio calls it",
    "handle_async_request": "httpx calls it",
    "startup": "uvicorn calls it",
    "capture_signals": "uvicorn calls it",
    "_retry_connection": "aiohttp reads it",
    "model_config": "pydantic reads it",
    "model_post_init": "pydantic calls it",
    "should_exit": "uvicorn reads it",
    "redirect_slashes": "starlette reads it",
    "propagate": "logging reads it",
    "row_factory": "sqlite3 reads it",
    "itersize": "psycopg reads it",
    "dropped_before": "a record's attribute, read by the formatter of logs",
    "run_once": "tests run the worker step by step",
}


@cache
def _trees() -> dict[str, ast.Module]:
    """Every module of the package by its path. Each worker imports this file; only one of them needs this."""
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))}


def _defined() -> Iterator[tuple[str, str]]:
    """(name, where) of whatever is defined outside the sandboxes, which are controlled from the tests."""
    for path, tree in _trees().items():
        if path.startswith("sandbox/"):
            continue
        for node in ast.walk(tree):
            where = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not _is_hooked(node):
                yield node.name, where
            elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                yield (node.id if isinstance(node, ast.Name) else node.attr), where


def _is_hooked(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """A decorator that takes the function (a command, a migration, a validator) calls it; these only change how it is read."""
    plain = ("property", "classmethod", "staticmethod", "abstractmethod", "dataclass", "contextmanager", "asynccontextmanager")
    return any(not any(word in ast.unparse(decorator) for word in plain) for decorator in node.decorator_list)


def _read() -> set[str]:
    found: set[str] = set()
    for node in (node for tree in _trees().values() for node in ast.walk(tree)):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < NAMING:
            found.update(re.findall(r"\w+", node.value))
    for template in ROOT.rglob("*.html"):
        found.update(re.findall(r"\w+", template.read_text("utf-8")))
    return found


def test_whatever_is_defined_is_read() -> None:
    read = _read()
    dead = {name: where for name, where in _defined() if name not in read and not re.fullmatch(r"__\w+__|_", name)}
    assert {name: where for name, where in dead.items() if name not in CALLED_BY_OTHERS} == {}


def test_the_list_of_exceptions_is_not_dead_itself() -> None:
    assert set(CALLED_BY_OTHERS) <= {name for name, _ in _defined()}


def _queries() -> list[str]:
    """The package's SQL, without what creates the tables, from its first reading word on; and the keys read of rows."""
    nodes = [node for path, tree in _trees().items() if path.startswith("store/") for node in ast.walk(tree)]
    keys = [node.slice.value for node in nodes if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)]
    texts = [
        node.value if isinstance(node, ast.Constant) else ast.unparse(node)
        for path, tree in _trees().items()
        if path.startswith("store/") and not path.endswith(("/schema.py", "/first_tables.py"))
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    ]
    return [str(key) for key in keys] + [
        text[match.start() :] for text in texts if (match := re.search(r"\b(SELECT|WHERE|RETURNING|ORDER BY|ON)\b", text))
    ]


@pytest.mark.anyio
async def test_every_column_is_read(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path / "connector.db")
    await database.close()
    with sqlite3.connect(tmp_path / "connector.db") as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {f"{table}.{row[1]}" for table in tables for row in connection.execute(f"PRAGMA table_info({table})")}
    connection.close()
    read = {word for text in _queries() for word in re.findall(r"\w+", text)}
    ours = {column for column in columns if not column.startswith(("sqlite_", "_sqlite"))}
    assert len(ours) > 60
    assert {column for column in ours if column.split(".")[1] not in read} == set()
