"""The bodies that HubSpot takes, as models: a member that is missing, unknown or of another type is refused.

The members are those of HubSpot's reference. The opening of a refusal's text and its words about missing members are
HubSpot's (seen); the rest of the wording is synthetic, and so is that a `null` for a property is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from connector.sandbox.hubspot.model import Refusal

B = TypeVar("B", bound=BaseModel)
MAX_BATCH = 100
#: Which `fieldType` a property's `type` can have.
FIELD_TYPES = {
    "string": {"text", "textarea", "html", "phonenumber", "file", "calculation_equation"},
    "number": {"number", "calculation_equation"},
    "bool": {"booleancheckbox", "calculation_equation"},
    "enumeration": {"select", "radio", "checkbox", "booleancheckbox", "calculation_equation"},
    "date": {"date"},
    "datetime": {"date"},
    "phone_number": {"phonenumber"},
}


class Body(BaseModel):
    """A JSON object with the members named here and no others; a number is no text."""

    model_config = ConfigDict(extra="forbid", strict=True)


class To(Body):
    """The record at the other end of an association."""

    id: str


class AssociationType(Body):
    """A kind of association by its number."""

    associationCategory: Literal["HUBSPOT_DEFINED", "INTEGRATOR_DEFINED", "USER_DEFINED", "WORK"]  # noqa: N815
    associationTypeId: int  # noqa: N815


class Association(Body):
    """An association that a record is made with."""

    to: To
    types: list[AssociationType]


class Create(Body):
    """A new contact or meeting."""

    properties: dict[str, str]
    associations: list[Association] = []


class Update(Body):
    """Changes of a contact or meeting."""

    properties: dict[str, str]


class Filter(Body):
    """One condition of a search."""

    propertyName: str  # noqa: N815
    operator: str
    value: str | None = None
    values: list[str] = []


class FilterGroup(Body):
    """Conditions that hold together."""

    filters: list[Filter]


class Search(Body):
    """A search; HubSpot also knows `sorts` and `query`, which this sandbox does not."""

    filterGroups: list[FilterGroup] = []  # noqa: N815
    properties: list[str] = []
    limit: int = 10
    after: str | None = None


class Input(Body):
    """One record of a batch."""

    id: str


class BatchRead(Body):
    """Many records at once."""

    inputs: list[Input]
    properties: list[str] = []
    idProperty: str | None = None  # noqa: N815


class Merge(Body):
    """Two contacts that become one."""

    primaryObjectId: str  # noqa: N815
    objectIdToMerge: str  # noqa: N815


class PrivacyDelete(Body):
    """A contact that is deleted for privacy, for good."""

    objectId: str  # noqa: N815
    idProperty: str | None = None  # noqa: N815


class Option(Body):
    """One option of an enumeration."""

    label: str
    value: str
    hidden: bool
    displayOrder: int  # noqa: N815
    description: str = ""


class Definition(Body):
    """A new property."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,99}$")]
    label: Annotated[str, Field(min_length=1)]
    groupName: Annotated[str, Field(min_length=1)]  # noqa: N815
    type: Literal["string", "number", "bool", "enumeration", "date", "datetime", "phone_number"]
    fieldType: str  # noqa: N815
    description: str = ""
    hasUniqueValue: bool = False  # noqa: N815
    options: list[Option] = []
    displayOrder: int = -1  # noqa: N815
    hidden: bool = False
    formField: bool = False  # noqa: N815


def read(model: type[B], data: Mapping[str, Any]) -> B:
    """Read a body. Raises Refusal (400) for one that is not of its form."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = error.errors()
    missing = [".".join(map(str, fault["loc"])) for fault in faults if fault["type"] == "missing"]
    if missing:
        raise refused(f"Some required fields were not set: [{', '.join(missing)}]")
    where = ".".join(map(str, faults[0]["loc"]))
    raise refused(f"Unknown field {where}" if faults[0]["type"] == "extra_forbidden" else f"Cannot read {where}")


def definition(data: Mapping[str, Any]) -> Definition:
    """Read the definition of a new property; its two types must agree, and an enumeration has options."""
    found = read(Definition, data)
    if found.fieldType not in FIELD_TYPES[found.type]:
        raise Refusal(400, f"A property of type {found.type} cannot have the field type {found.fieldType}", "VALIDATION_ERROR")
    if found.type == "enumeration" and not found.options:
        raise Refusal(400, "A property of type enumeration needs options", "VALIDATION_ERROR")
    return found


def refused(text: str) -> Refusal:
    """A body that cannot be read."""
    return Refusal(400, f"Invalid input JSON on line 1, column 2. {text}", "VALIDATION_ERROR")
