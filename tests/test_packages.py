"""The list of licences fits the lock files, and the bill of materials names every package once."""

from __future__ import annotations

import json
import re
from email.message import Message
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SHIPPED = (ROOT / "requirements-image.lock").read_text(encoding="utf-8")
LOCKS = ("requirements.lock", "requirements-image.lock", "requirements-dev.lock")


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return import_module("packages")


def test_the_page_of_licences_is_what_make_licences_writes(packages: Any) -> None:
    written = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    locks = [packages.locked((ROOT / name).read_text(encoding="utf-8")) for name in LOCKS]
    assert packages.page(*locks) == written, "run `make licences`"
    _, installed, image, development = written.split("\n## ")
    assert re.search(r"\| pydantic \| [\d.]+ \| MIT \|", installed)
    assert re.search(r"\| cryptography \| [\d.]+ \| Apache-2.0 OR BSD-3-Clause \|", image)
    assert re.search(r"\| psycopg \| [\d.]+ \| LGPL-3.0-only \|", image)
    assert re.search(r"\| ruff \| [\d.]+ \| MIT \|", development)
    assert written.count("| idna |") == 1, "each package once"


def test_every_locked_package_is_read_with_its_hashes(packages: Any) -> None:
    found = packages.locked(SHIPPED)
    assert len(found) == len(re.findall(r"^[a-z].*==", SHIPPED, re.MULTILINE))
    assert sum(len(package.hashes) for package in found) == SHIPPED.count("--hash=sha256:")
    assert all(package.hashes for package in found)


def test_the_bill_names_every_shipped_package_once_and_is_always_the_same(packages: Any) -> None:
    found = packages.locked(SHIPPED)
    bill = packages.bill(found, "1.2.3")
    assert (bill["bomFormat"], bill["specVersion"], bill["metadata"]["component"]["version"]) == ("CycloneDX", "1.6", "1.2.3")
    assert [one["purl"] for one in bill["components"]] == [f"pkg:pypi/{one.name}@{one.version}" for one in found]
    assert len({one["bom-ref"] for one in bill["components"]}) == len(found)
    assert all(one["licenses"][0]["expression"] for one in bill["components"])
    assert bill["dependencies"][0]["dependsOn"] == [one["bom-ref"] for one in bill["components"]]
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", bill["serialNumber"])
    assert json.dumps(packages.bill(found, "1.2.3")) == json.dumps(bill)
    assert packages.bill(found, "1.2.4")["serialNumber"] != bill["serialNumber"]


def _about(**headers: str) -> Message:
    about = Message()
    for name, value in headers.items():
        about[name.replace("_", "-")] = value
    return about


@pytest.mark.parametrize(
    ("about", "licence"),
    [
        ({"License_Expression": "MIT OR Apache-2.0"}, "MIT OR Apache-2.0"),
        ({"License": "Apache License, Version 2.0"}, "Apache-2.0"),
        ({"License": "ISC"}, "ISC"),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
    ],
)
def test_a_licence_is_read_from_what_packages_write(packages: Any, about: dict[str, str], licence: str) -> None:
    assert packages.licence_of("some", _about(**about)) == licence


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"License": "free for friends"},
        {"License_Expression": "MIT AND AGPL-3.0-only"},
        {"License_Expression": "GPL-3.0-only"},
        {"Classifier": "License :: OSI Approved :: BSD License"},
    ],
)
def test_an_unknown_licence_is_refused(packages: Any, about: dict[str, str]) -> None:
    with pytest.raises(packages.Unknown, match="look at it before it is used"):
        packages.licence_of("some", _about(**about))


def test_another_version_than_the_locked_one_is_refused(packages: Any) -> None:
    version = metadata.version("click")
    assert packages.said(packages.Package("click", version, ()))["Name"] == "click"
    with pytest.raises(packages.Unknown, match="locked as 0"):
        packages.said(packages.Package("click", "0", ()))
    with pytest.raises(packages.Unknown, match="is not installed here"):
        packages.said(packages.Package("no-such-package-here", "1", ()))
