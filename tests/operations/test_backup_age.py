"""A backup that is too old, or was never made, is said; whoever backs the file up by other means turns that off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connector.config.database import DatabaseSettings
from connector.operations import checks
from connector.store.backup import back_up
from connector.store.opening import open_database

DAY = 86_400.0


@pytest.fixture
async def settings(tmp_path: Path, anyio_backend: str) -> DatabaseSettings:
    """A database that was made on day 0."""
    await open_database(tmp_path / "connector.db").close()
    os.utime(tmp_path / "connector.db.key", (0, 0))
    return DatabaseSettings.model_validate({}, context={"base": tmp_path})


@pytest.mark.anyio
async def test_a_backup_that_is_too_old_is_said_until_another_is_made(settings: DatabaseSettings) -> None:
    assert checks.backup(settings, 7 * DAY) == []
    (never,) = checks.backup(settings, 8 * DAY)
    assert (never.id, never.level) == ("database.backup", "warning")
    assert never.message == "no backup was ever made of connector.db, which is 8 days old"
    back_up(settings.path, settings.path.with_name("one"), 8 * DAY)
    assert checks.backup(settings, 15 * DAY) == []
    (old,) = checks.backup(settings, 17.5 * DAY)
    assert old.message == "the last backup is 9 days old"
    back_up(settings.path, settings.path.with_name("two"), 17.5 * DAY)
    assert checks.backup(settings, 18 * DAY) == []


@pytest.mark.anyio
async def test_nothing_is_said_where_something_else_makes_backups(settings: DatabaseSettings) -> None:
    assert checks.backup(settings.model_copy(update={"backup_warning_days": 0.0}), 900 * DAY) == []
    server = DatabaseSettings(url="postgresql://connector@db.example.com/connector")
    assert checks.backup(server, 900 * DAY) == []
