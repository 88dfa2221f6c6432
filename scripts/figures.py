"""Count the figures of docs/architecture.md: `python scripts/figures.py [--write]`.

`tests/test_structure.py` keeps limits for them.
"""

from __future__ import annotations

import argparse
import ast
import re
import statistics
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "connector"


def root_entries() -> list[str]:
    """What a reader sees first: rooms and files of the package's root."""
    return sorted(path.name for path in PACKAGE.iterdir() if not path.name.startswith((".", "__pycache__")))


def layers() -> list[str]:
    """The floors, from the highest; imports may only cross them downwards."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    return next(list(one["layers"]) for one in contracts if one["id"] == "layers")


def arrows() -> set[tuple[str, str]]:
    """(importer, imported) of the entries of the root: which room knows which."""
    graph = grimp.build_graph("connector", cache_dir=None)
    found = {
        (_entry(importer), _entry(imported))
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    }
    return {(one, other) for one, other in found if one != other}


def cycles() -> list[list[str]]:
    """Modules that import each other, directly or through others; imports for the type checker alone do not count."""
    graph = grimp.build_graph("connector", cache_dir=None, exclude_type_checking_imports=True)
    below = {module: graph.find_downstream_modules(module) for module in graph.modules}
    return sorted([one, other] for one in below for other in below[one] if one < other and one in below[other])


def _entry(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def modules() -> dict[str, int]:
    """Lines of each module, by its path below the package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {path.relative_to(PACKAGE).as_posix(): len(path.read_text("utf-8").splitlines()) for path in paths}


def functions() -> dict[str, int]:
    """Lines of each function, from `def` to its end, by path and line."""
    return dict(_functions())


def _functions() -> Iterator[tuple[str, int]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno}", (node.end_lineno or 0) - node.lineno + 1


def ours(lengths: Mapping[str, int]) -> list[int]:
    """The lengths outside the sandboxes, in order."""
    return sorted(lines for name, lines in lengths.items() if not name.startswith("sandbox/"))


def spread(lengths: list[int]) -> str:
    """Median, ninth decile, longest."""
    return f"{statistics.median(lengths):.0f}, {statistics.quantiles(lengths, n=10)[-1]:.0f}, {lengths[-1]}"


def figures() -> list[tuple[str, str]]:
    """(what, figure) of the table in docs/architecture.md."""
    lengths = modules()
    return [
        ("entries in the package's root", str(len(root_entries()))),
        ("layers that imports may only cross downwards", str(len(layers()))),
        ("arrows between entries of the root", str(len(arrows()))),
        ("modules", f"{len(lengths)}"),
        ("lines, sandboxes left out", f"{sum(ours(lengths)):,}"),
        ("lines of a module: median, ninth decile, longest", spread(ours(lengths))),
        ("lines of a function: median, ninth decile, longest", spread(ours(functions()))),
    ]


def update(page: str) -> str:
    """The page with today's figures in the last column of their rows."""
    for what, figure in figures():
        page = re.sub(rf"(?m)^(\| {re.escape(what)} \|.*\| )[^|]+( \|)$", rf"\g<1>{figure}\g<2>", page)
    return page


def main() -> None:
    """Print the figures; with `--write`, put them into docs/architecture.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put them into docs/architecture.md")
    if parser.parse_args().write:
        page = ROOT / "docs" / "architecture.md"
        page.write_text(update(page.read_text("utf-8")), encoding="utf-8")
    for what, figure in figures():
        print(f"| {what} | {figure} |")


if __name__ == "__main__":
    main()
