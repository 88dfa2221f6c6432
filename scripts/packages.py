"""What is installed with connector, from the lock files: `python scripts/packages.py licences`, or `sbom`.

`licences` writes docs/licences.md and fails where a package's licence is unknown or not one of `ALLOWED`. `sbom` prints a
CycloneDX list of what the image holds. Both read what the packages of this environment say of themselves, so it must hold
exactly what the lock files name (`make check` does).
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
#: What `pip install` needs, what the image holds (that, and the extras), and what development needs (all of it, and the tools).
INSTALLED, IMAGE, DEVELOPMENT = "requirements.lock", "requirements-image.lock", "requirements-dev.lock"
PAGE = ROOT / "docs" / "licences.md"

#: Licences under which a package may be used here; all let a program that uses it be given away under the MIT licence. The
#: LGPL ones are used as libraries that anybody can replace.
ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Unlicense"),
        *("LGPL-2.1-or-later", "LGPL-3.0-only", "LicenseRef-Public-Domain"),
    }
)
#: What older packages write instead of an SPDX expression.
_SPELLED = {
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "MIT License": "MIT",
}
_CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
    "License :: OSI Approved :: The Unlicense (Unlicense)": "Unlicense",
    "License :: Public Domain": "LicenseRef-Public-Domain",
}
#: Packages that say less than their licence file: that of Jinja is the text with three clauses.
_READ = {"jinja2": "BSD-3-Clause"}
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Unknown(Exception):
    """A package's licence cannot be told, is not allowed, or the package is not here as the lock file names it."""


@dataclass(frozen=True, slots=True)
class Package:
    """One entry of a lock file; `hashes` are those of all its files."""

    name: str
    version: str
    hashes: tuple[str, ...]


def locked(text: str) -> list[Package]:
    """The packages of a lock file's text."""
    found: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        if entry := _ENTRY.match(line):
            found.append((entry[1].lower(), entry[2], []))
        elif found and (hashed := _HASH.search(line)):
            found[-1][2].append(hashed[1])
    return [Package(name, version, tuple(hashes)) for name, version, hashes in found]


def said(package: Package) -> metadata.PackageMetadata:
    """What the installed package says of itself. Raises Unknown where another version is here, or none."""
    try:
        about = metadata.metadata(package.name)
    except metadata.PackageNotFoundError:
        raise Unknown(f"{package.name} {package.version} is not installed here") from None
    if about["Version"] != package.version:
        raise Unknown(f"{package.name} is here as {about['Version']}, and locked as {package.version}")
    return about


def licence_of(name: str, about: metadata.PackageMetadata) -> str:
    """The SPDX expression. Raises Unknown where there is none, or one of its licences is not allowed."""
    plain = " ".join(about.get_all("License") or [])
    given = " ".join(about.get_all("License-Expression") or []) or _READ.get(name) or _SPELLED.get(plain)
    if given is None:
        named = [_CLASSIFIERS[one] for one in about.get_all("Classifier") or [] if one in _CLASSIFIERS]
        given = " OR ".join(sorted(named)) or (plain if plain in ALLOWED else "")
    refused = [one for one in re.split(r" (?:AND|OR|WITH) |[()]", given) if one and one not in ALLOWED]
    if not given or refused:
        raise Unknown(f"{name}: the licence is {', '.join(refused) or 'unknown'}; look at it before it is used")
    return given


def page(installed: Iterable[Package], image: Iterable[Package], development: Iterable[Package]) -> str:
    """The text of docs/licences.md."""
    lines = [
        "# Licences of the packages",
        "",
        "Written by `make licences` from the lock files. A test compares it, and refuses a licence that is unknown or not in",
        "the list of `scripts/packages.py`. connector itself is under the [MIT licence](../LICENSE).",
    ]
    tables = {
        "In the image and with `pip install`": installed,
        "In the image and with the extras `postgres` and `jwt`": image,
        "For development only": development,
    }
    above: set[str] = set()
    for title, packages in tables.items():
        new = [one for one in packages if one.name not in above]
        above |= {one.name for one in new}
        lines += ["", f"## {title}", "", "| package | version | licence |", "|---|---|---|"]
        lines += [f"| {one.name} | {one.version} | {licence_of(one.name, said(one))} |" for one in new]
    return "\n".join([*lines, ""])


def bill(packages: Iterable[Package], version: str) -> dict[str, Any]:
    """A CycloneDX 1.6 document of connector with these packages; the same packages give the same document."""
    components = [_component(package) for package in packages]
    root = {"type": "application", "name": "connector", "version": version, "bom-ref": "connector"}
    every = [component["bom-ref"] for component in components]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([root, components], sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {**root, "licenses": [{"license": {"id": "MIT"}}]}},
        "components": components,
        "dependencies": [{"ref": "connector", "dependsOn": every}],
    }


def _component(package: Package) -> dict[str, Any]:
    purl = f"pkg:pypi/{package.name}@{package.version}"
    licence = licence_of(package.name, said(package))
    files = {
        "type": "distribution",
        "url": purl,
        "hashes": [{"alg": "SHA-256", "content": one} for one in package.hashes],
    }
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        "licenses": [{"expression": licence}],
        "externalReferences": [files],
    }


def main(arguments: list[str]) -> int:
    """Do what is asked; 1 with the reason where it cannot be done."""
    locks = [locked((ROOT / name).read_text(encoding="utf-8")) for name in (INSTALLED, IMAGE, DEVELOPMENT)]
    try:
        if arguments == ["licences"]:
            PAGE.write_text(page(*locks), encoding="utf-8")
        elif arguments == ["sbom"]:
            version = re.search(r'__version__ = "(.+)"', (ROOT / "connector" / "__init__.py").read_text(encoding="utf-8"))
            print(json.dumps(bill(locks[1], version[1] if version else "unknown"), indent=1))
        else:
            print("usage: python scripts/packages.py licences | sbom", file=sys.stderr)
            return 2
    except Unknown as unknown:
        print(unknown, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
