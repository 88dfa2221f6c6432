"""Which sandboxes there are: every folder beside this one that says so in its `__init__`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from connector import sandbox


@dataclass(frozen=True, slots=True)
class Listing:
    """One sandbox: `module:Class`, the path where its API begins, and the names of the attributes that hold its keys."""

    dotted: str
    api: str
    keys: tuple[str, ...]

    def load(self) -> Any:
        """Import the class."""
        module, _, name = self.dotted.partition(":")
        return getattr(import_module(module), name)


def list_sandboxes() -> list[str]:
    """The names of all sandboxes, without importing them."""
    return sorted(module.name for module in iter_modules(sandbox.__path__) if module.ispkg and module.name != "kit")


def find_sandbox(name: str) -> Listing:
    """Return the sandbox of a product; raises ModuleNotFoundError for a name that is not listed."""
    found: Listing = import_module(f"{sandbox.__name__}.{name}").LISTING
    return found
