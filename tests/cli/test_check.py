"""`connector check`: what is wrong at either side, and `--fix`."""

from __future__ import annotations

import pytest
from acceptance.world import KEY, RemoteSystems

from .place import Place

PROPERTY = "crm.main.property"


@pytest.fixture(scope="module")
def sides(portal):
    with portal.wrap_async_context_manager(RemoteSystems(property_exists=False)) as sides:
        yield sides


def levels(found):
    return {check["id"]: check["level"] for check in found}


def properties(place: Place) -> list[str]:
    return list(place.sides.hubspot.records.properties)


@pytest.mark.parametrize("serving", [False, True], ids=["alone", "beside a service"])
def test_a_missing_property_is_an_error_until_fix_has_made_it(place, serving):
    if serving:
        with place.served() as service:
            missing_then_fixed(place)
            assert any("connector check --fix" in line.get("hint", "") for line in service.lines), "serve says so loudly"
    else:
        missing_then_fixed(place)


def missing_then_fixed(place: Place) -> None:
    found = place.json("check", code=1)
    assert levels(found)["booking.stores.account"] == "ok"
    (wrong,) = [check for check in found if check["level"] == "error"]
    assert KEY in wrong["message"]
    assert "connector check --fix" in wrong["hint"]
    text = place.run("check")
    assert text.exit_code == 1
    assert "→ Run `connector check --fix" in text.stdout
    assert properties(place) == []
    fixed = place.json("check", "--fix")
    assert properties(place) == [KEY]
    assert "error" not in levels(fixed).values()
    assert any("created the unique contact property" in check["message"] for check in fixed)
    # Once more does nothing more.
    again = place.json("check", "--fix")
    assert not any("created" in check["message"] for check in again)
    assert place.run("check").exit_code == 0


def test_a_property_that_is_not_unique_cannot_be_fixed(place):
    fixed = {"label": KEY, "type": "string", "fieldType": "text", "groupName": "contactinformation"}
    place.there(place.sides.hubspot.records.create_property, {"name": KEY, "hasUniqueValue": False, **fixed})
    found = place.json("check", "--fix", code=1)
    (wrong,) = [check for check in found if check["level"] == "error"]
    assert "not unique" in wrong["message"]
    assert "person_key_property" in wrong["hint"]


def test_refused_keys_are_told_for_each_side(tmp_path, portal, sides, place):
    other = Place(tmp_path, portal, sides, partner_key="wrong", hubspot_token="wrong")
    found = other.json("check", code=1)
    errors = {check["id"]: check for check in found if check["level"] == "error"}
    assert {"booking.stores.account", "crm.main.account"} <= set(errors)
    for check in errors.values():
        assert "answered 401" in check["message"]
        assert "[booking.stores]" in check["hint"] or "[crm.main]" in check["hint"]


def test_sides_that_are_down_are_an_error_and_not_a_crash(place):
    place.there(place.sides.faults, down=True)
    found = place.json("check", "--fix", code=1)
    assert levels(found)["booking.stores.account"] == levels(found)["crm.main.account"] == "error"
    assert any("503" in check["message"] for check in found)
