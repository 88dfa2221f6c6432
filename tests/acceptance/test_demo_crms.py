"""The demo with each CRM beside HubSpot, in this process; a file of its own, so that it runs beside the others."""

from __future__ import annotations

import re

import pytest
from cli.place import invoke

from connector import registry

from .test_demo import DECISIONS


@pytest.mark.parametrize("crm", sorted({*registry.CRMS} - {"hubspot"}))
def test_the_demo_shows_any_crm(crm):
    result = invoke("demo", "--once", "--crm", crm)
    out = result.stdout
    assert (result.exit_code, result.stderr) == (0, "")
    for story, (state, reason) in DECISIONS.items():
        shown = re.search(rf"^{story} \S+, appointment.created: (\w+)\n(.*?)\n\n", out, re.MULTILINE | re.DOTALL)
        assert shown, f"nothing is shown of the {story}"
        assert shown[1] == state
        assert reason in shown[2]
    assert re.search(rf"^{registry.crm(crm).title} now has 4 (contacts|persons|parties) and 3 [\w ]+\.$", out, re.MULTILINE)
