"""What `connector check` says of the configuration file itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config.settings import load
from connector.operations.checks import configuration
from connector.registry import Registry

TEXT = """
[booking.stores]
system = "booxi"
partner_key = "{key}"
module_id = "hubspot"
region = "na"
default_country = "CA"

[booking.stores.webhook]
verify = "token"
tokens = [{{ env = "WEBHOOK_TOKEN" }}]

[crm.main]
system = "hubspot"
token = {{ env = "HUBSPOT_TOKEN" }}

[[sync]]
booking = "stores"
crm = "main"
"""


def found(file: Path) -> list[tuple[str, str]]:
    config = load(file, systems=Registry(), environ={"WEBHOOK_TOKEN": "w" * 40, "HUBSPOT_TOKEN": "h" * 40})
    return [(check.id, check.level) for check in configuration(config)]


@pytest.mark.parametrize(("mode", "said"), [(0o644, True), (0o640, True), (0o600, False), (0o400, False)])
def test_a_file_with_secrets_that_others_can_read_is_said(tmp_path: Path, mode: int, said: bool) -> None:
    file = tmp_path / "connector.toml"
    file.write_text(TEXT.format(key="k" * 40), encoding="utf-8")
    file.chmod(mode)
    assert ("config.secrets", "warning") in found(file)
    assert (("config.mode", "warning") in found(file)) is said
