"""`connector database copy` and `connector database check`: what they say, what they answer, and that no password is shown."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

import postgres
import pytest
from pydantic import SecretStr

from connector.config.database import DatabaseSettings

from .place import Place

PASSWORD = "s3cret:/@%?&"


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    postgres.needed()
    with postgres.serving() as server:
        yield server


def linked(place: Place) -> int:
    """A place whose database holds one link."""
    client = place.client(firstName="Ada", lastName="First", email="ada@example.com")
    place.book(client)
    return client


def moved(place: Place, url: str) -> None:
    """Do what the command has said is left to do."""
    text = place.file.read_text()
    (old,) = [line for line in text.splitlines() if line.startswith("url = ")]
    place.file.write_text(text.replace(old, f'url = "{url}"'))


def test_to_postgresql_and_back(place: Place, server: postgres.Server):
    client = linked(place)
    before = place.json("links", "list")
    url = server.fresh()
    password = f"&password={quote(PASSWORD, safe='')}"
    done = place.run("database", "copy", "--to", url + password)
    assert done.exit_code == 0, done.stderr
    assert "connector.db is copied to postgres: " in done.stdout
    assert "counts and checksums of all tables agree" in done.stdout
    assert f'url = "{url}"\n   password = {{ env = "CONNECTOR_DATABASE_PASSWORD" }}' in done.stdout
    assert "Leave connector.key where it is, beside the configuration file" in done.stdout
    assert "Never start a service on connector.db again" in done.stdout
    assert "copying " in done.stderr
    assert "s3cret" not in done.output
    assert quote(PASSWORD, safe="") not in done.output
    moved(place, url)
    assert place.json("links", "list") == before
    assert len(place.events(client)) == 1
    back = place.json("database", "copy", "--to", "sqlite:///back.db")
    assert back["tables"]["links"] == 1
    assert {k: v for k, v in back.items() if k not in ("tables", "rows", "seconds")} == {
        "from": "postgres",
        "to": "back.db",
        "url": "sqlite:///back.db",
        "verified": True,
        "resumed": False,
        "put_back": 0,
        "key_file": "back.db.key",
    }
    assert back["rows"] == sum(back["tables"].values())
    moved(place, "sqlite:///back.db")
    assert place.json("links", "list") == before


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("mysql://x/y", "--to: must look like"),
        ("sqlite://connector.db", "--to: must look like"),
        ("postgresql://me:s3cret@/", "--to: must name a server and a database"),
        ("postgresql://me:s3cret@[x/y", "--to: must name a server and a database"),
        ("postgres://me:s3cret@x/y", "--to: must name a server and a database"),
        ("sqlite:///connector.db", "--to: is the database of connector.toml itself"),
        ("sqlite:///./connector.db", "--to: is the database of connector.toml itself"),
    ],
)
def test_a_wrong_address_is_bad_usage_and_not_repeated(place: Place, address: str, text: str):
    done = place.run("database", "copy", "--to", address)
    assert done.exit_code == 2
    assert text in done.stderr
    assert "s3cret" not in done.output
    assert place.run("database", "copy").exit_code == 2


def test_what_cannot_be_done_ends_with_1(place: Place, server: postgres.Server):
    absent = place.run("database", "copy", "--to", "sqlite:///other.db")
    assert (absent.exit_code, absent.stdout) == (1, "")
    assert "There is no database connector.db" in absent.stderr
    linked(place)
    unreachable = place.run("database", "copy", "--to", "postgresql://me:s3cret@127.0.0.1:9/there")
    assert (unreachable.exit_code, unreachable.stdout) == (1, "")
    assert "PostgreSQL with the database there cannot be reached" in unreachable.stderr
    refused = place.run("database", "copy", "--to", f"{server.url('nowhere')}&password=s3cret")
    assert refused.exit_code == 1
    assert "refuses the connection" in refused.stderr
    assert "s3cret" not in unreachable.output + refused.output
    url = server.fresh()
    with place.served():
        in_use = place.run("database", "copy", "--to", url)
        assert in_use.exit_code == 1
        assert "in use by another connector" in in_use.stderr
    assert place.run("database", "copy", "--to", url).exit_code == 0
    full = place.run("database", "copy", "--to", url)
    assert full.exit_code == 1
    assert "is not empty" in full.stderr


@pytest.mark.parametrize(
    ("address", "url", "password"),
    [
        ("sqlite:///x.db", "sqlite:///x.db", None),
        ("postgresql://me@host/db", "postgresql://me@host/db", None),
        ("postgresql://me:a%3Ab@host:1/db?sslmode=require", "postgresql://me@host:1/db?sslmode=require", "a:b"),
        ("postgresql://host/db?password=x%2Fy&sslmode=require", "postgresql://host/db?sslmode=require", "x/y"),
        ("postgresql://:pw@host/db", "postgresql://@host/db", "pw"),
        ("postgresql://me@/db?host=%2Frun", "postgresql://me@/db?host=%2Frun", None),
    ],
)
def test_a_password_is_taken_out_of_an_address(tmp_path, address, url, password):
    at = DatabaseSettings.at(address, tmp_path)
    assert (at.url, at.password) == (url, None if password is None else SecretStr(password))
    if url.startswith("sqlite"):
        assert at.path == tmp_path / "x.db"


def test_the_json_document_is_all_there_is_on_stdout(place: Place):
    linked(place)
    done = place.run("database", "copy", "--to", "sqlite:///other.db", "--json")
    assert json.loads(done.stdout)["verified"] is True
    assert done.exit_code == 0


def test_a_check_beside_a_service_and_what_it_finds(place: Place):
    absent = place.run("database", "check")
    assert (absent.exit_code, absent.stdout) == (1, "")
    assert "There is no database connector.db" in absent.stderr
    with place.served():
        linked(place)
        assert [one["level"] for one in place.json("database", "check")] == ["ok"] * 3
    sound = place.run("database", "check")
    assert (sound.exit_code, sound.stderr) == (0, "")
    assert "ok       database.integrity: SQLite has read the whole file" in sound.stdout
    with closing(sqlite3.connect(place.database)) as connection:
        connection.execute("UPDATE lanes SET boot = 'gone', due = NULL")
        connection.commit()
    found = place.run("database", "check")
    assert found.exit_code == 1
    assert "ERROR    lanes.claimed: " in found.stdout
    assert "Restart the service" in found.stdout
    assert [one["id"] for one in place.json("database", "check", code=1) if one["level"] == "error"] == ["lanes.claimed"]
