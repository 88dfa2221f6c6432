"""Where a peer that is an npm package is found: in a kept folder, on PATH, or newly installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: Seconds that an installation may take.
INSTALLATION = 2400


class Missing(Exception):
    """A peer cannot be had here; the text is the reason, for the table."""


@dataclass(frozen=True)
class Package:
    """An installed npm package: its folder, and what its package.json says."""

    folder: Path
    version: str

    def script(self, command: str) -> Path:
        """The JavaScript file of one of its commands."""
        commands: dict[str, str] = json.loads((self.folder / "package.json").read_text(encoding="utf-8"))["bin"]
        return self.folder / commands[command]


def find(name: str, version: str, cache: Path) -> Package:
    """The package: as it lies in `cache`, as its command is on PATH, or installed into `cache`. Raises Missing."""
    if shutil.which("node") is None:
        raise Missing("Node.js is not here")
    kept = cache / name / "node_modules" / name
    if not (kept / "package.json").is_file():
        kept = _on_path(name) or _install(name, version, cache / name)
    return Package(kept, json.loads((kept / "package.json").read_text(encoding="utf-8"))["version"])


def _on_path(name: str) -> Path | None:
    """The folder of the package whose command is on PATH: npm makes a link into it."""
    command = shutil.which(name)
    for folder in Path(command).resolve().parents if command else ():
        file = folder / "package.json"
        if file.is_file() and json.loads(file.read_text(encoding="utf-8")).get("name") == name:
            return folder
    return None


def _install(name: str, version: str, folder: Path) -> Path:
    if shutil.which("npm") is None:
        raise Missing("npm is not here")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "package.json").exists():  # one that is there may hold `overrides`
        (folder / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--omit=dev", "--no-fund", "--no-audit", "--loglevel=error", f"{name}@{version}"]
    print(f"Installing {name}@{version} …", flush=True)
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALLATION)
    except subprocess.TimeoutExpired:
        raise Missing(f"npm did not install {name}@{version} within {INSTALLATION // 60} minutes") from None
    if done.returncode:
        errors = [line.removeprefix("npm error ") for line in done.stderr.splitlines() if line.startswith("npm error ")]
        reason = "; ".join(errors)[:300] or "no reason given"
        raise Missing(f"npm cannot install {name}@{version}: {reason}")
    return folder / "node_modules" / name
