"""`connector backup` beside a running service, `connector restore` without one; what `check` says of a new database."""

from __future__ import annotations

import json

from .place import Place


def test_a_backup_beside_a_service_is_restored_once_the_service_has_ended(place: Place):
    first = place.client(firstName="Ada", lastName="First", email="ada@example.com")
    second = place.client(firstName="Bo", lastName="Second", email="bo@example.com")
    file = place.folder / "backup.db"
    with place.served() as service:
        place.book(first)
        made = place.json("backup", str(file))
        assert made == {
            "file": str(file),
            "bytes": file.stat().st_size,
            "seconds": made["seconds"],
            "verified": True,
            "key_file": "connector.db.key",
        }
        place.book(second)
        before = file.read_bytes()
        again = place.run("backup", str(file))
        assert (again.exit_code, again.stdout) == (1, "")
        assert "exists already" in again.stderr
        assert file.read_bytes() == before
        refused = place.run("restore", str(file))
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "in use by another connector" in refused.stderr
        assert service.process.returncode is None
    done = place.run("restore", str(file))
    assert done.exit_code == 0
    assert "connector.db is backup.db again" in done.stdout
    (kept,) = place.folder.glob("connector.db.before-restore-*")
    assert kept.name in done.stdout
    assert len(place.events(first)) == 1
    assert place.events(second) == []


def test_the_exit_codes_of_what_cannot_be_done(place: Place):
    assert place.run("backup", str(place.folder / "backup.db")).exit_code == 1
    assert place.run("restore", str(place.folder / "backup.db")).exit_code == 1
    assert place.run("backup").exit_code == 2
    place.file.write_text("nonsense")
    assert place.run("restore", str(place.folder / "backup.db")).exit_code == 2


def test_a_backup_says_its_size_and_that_it_was_verified(place: Place):
    place.book(place.client(firstName="Ada", lastName="First", email="ada@example.com"))
    file = place.folder / "backup.db"
    said = place.run("backup", str(file))
    assert said.exit_code == 0
    assert f"{file.stat().st_size:,} bytes in " in said.stdout
    assert "verified" in said.stdout
    assert "connector.db.key belongs to it" in said.stdout
    assert place.json("restore", str(file))["kept"].startswith("connector.db.before-restore-")


def new(found):
    return [check for check in found if check["id"] == "database.new"]


def test_a_new_database_is_said_in_check_and_in_the_log(place: Place):
    with place.served() as service:
        (said,) = new(place.json("check", "--fix"))
        assert said["level"] == "warning"
        assert "new database" in said["message"]
        assert said["hint"]
        assert [line["file"] for line in service.lines if line.get("event") == "new database"] == ["connector.db"]
    with place.served() as service:
        assert new(place.json("check")) == []
        assert not [line for line in service.lines if line.get("event") == "new database"]
    place.database.unlink()
    assert len(new(place.json("check"))) == 1
    assert new(json.loads(place.run("check", "--json").stdout)) == []
