"""HubSpot's published shapes, as models: every request of the adapter and every answer of the sandbox must fit.

Written down from the typed requests and models of HubSpot's own client for Python (hubspot-sdk 0.1.0a9, Apache-2.0) and
compared with them by script, name for name: the same members are required, and each has the same type. Where that client
is stricter than the service (a create demands `associations`, an error body all its members), the service's pages win.
Owners are not in that subset: they follow https://developers.hubspot.com/docs/api-reference/latest/crm/owners/guide.

Tighter than published, for requests only: no value is empty, since that would clear a property, and the properties of a
meeting are those which HubSpot lists, with times in its format.
"""
# ruff: noqa: N815 - the names are the vendor's

from __future__ import annotations

from typing import Annotated, Any, Literal

import httpx
from conforming import Call, Closed, Conforming
from pydantic import Field, StringConstraints

#: A record's id: digits, and always a text.
Id = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$")]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Values = Annotated[dict[Name, Text], Field(min_length=1)]
Category = Literal["HUBSPOT_DEFINED", "INTEGRATOR_DEFINED", "USER_DEFINED", "WORK"]
#: Lists of names or ids by what they are.
Context = dict[str, list[str]]

# ---- requests ----


class PublicObjectID(Closed):
    id: Id


class AssociationSpec(Closed):
    associationCategory: Category
    associationTypeId: int


class PublicAssociationsForObjectParam(Closed):
    to: PublicObjectID
    types: Annotated[list[AssociationSpec], Field(min_length=1)]


class ContactCreateParams(Closed):
    properties: Values
    associations: list[PublicAssociationsForObjectParam] | None = None


class ContactUpdateParams(Closed):
    properties: Values


class MeetingProperties(Closed):
    hs_timestamp: Moment | None = None
    hs_meeting_title: Text | None = None
    hs_meeting_body: Text | None = None
    hs_internal_meeting_notes: Text | None = None
    hs_meeting_start_time: Moment | None = None
    hs_meeting_end_time: Moment | None = None
    hs_meeting_location: Text | None = None
    hs_meeting_outcome: Literal["SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED"] | None = None


class NewMeetingProperties(MeetingProperties):
    """HubSpot demands the time."""

    hs_timestamp: Moment


class MeetingCreateParams(Closed):
    properties: NewMeetingProperties
    associations: Annotated[list[PublicAssociationsForObjectParam], Field(min_length=1)]


class MeetingUpdateParams(Closed):
    properties: MeetingProperties


class CrmFilterParam(Closed):
    operator: Literal[
        "BETWEEN", "CONTAINS_TOKEN", "EQ", "GT", "GTE", "HAS_PROPERTY", "IN", "LT", "LTE", "NEQ", "NOT_CONTAINS_TOKEN",
        "NOT_HAS_PROPERTY", "NOT_IN",
    ]  # fmt: skip
    propertyName: Name
    value: Text | None = None
    values: list[Text] | None = None


class FilterGroupParam(Closed):
    filters: Annotated[list[CrmFilterParam], Field(max_length=6)]


class ContactSearchParams(Closed):
    filterGroups: Annotated[list[FilterGroupParam], Field(max_length=5)] | None = None
    properties: list[Name] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] | None = None
    after: Text | None = None


class SimplePublicObjectIDParam(Closed):
    id: Text


class ContactBatchReadParams(Closed):
    inputs: Annotated[list[SimplePublicObjectIDParam], Field(min_length=1, max_length=100)]
    properties: list[Name] | None = None
    idProperty: Name | None = None


class MeetingBatchReadParams(ContactBatchReadParams):
    pass


class ContactMergeParams(Closed):
    objectIdToMerge: Id
    primaryObjectId: Id


class ContactGdprDeleteParams(Closed):
    objectId: Text
    idProperty: Name | None = None


class OptionInput(Closed):
    displayOrder: int
    hidden: bool
    label: str
    value: str
    description: str | None = None


class PropertyCreateParams(Closed):
    fieldType: Literal[
        "booleancheckbox", "calculation_equation", "checkbox", "date", "file", "html", "number", "phonenumber", "radio",
        "select", "text", "textarea",
    ]  # fmt: skip
    groupName: Text
    label: Text
    name: Name
    type: Literal["bool", "date", "datetime", "enumeration", "number", "phone_number", "string"]
    description: str | None = None
    hasUniqueValue: bool | None = None
    options: list[OptionInput] | None = None


class ReadQuery(Closed):
    """In an address everything is text."""

    properties: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(,[a-z0-9_]+)*$")] | None = None
    idProperty: Name | None = None


class PageQuery(Closed):
    limit: Annotated[str, StringConstraints(pattern=r"^([1-9]|[1-9]\d|[1-4]\d\d|500)$")] | None = None
    after: Text | None = None


class OwnersQuery(PageQuery):
    archived: Literal["true", "false"] | None = None


# ---- answers ----


class SimplePublicObject(Closed):
    archived: bool
    createdAt: Moment
    id: Id
    properties: dict[str, str | None]
    updatedAt: Moment


class SimplePublicObjectWithAssociations(SimplePublicObject):
    pass


class NextPage(Closed):
    after: str
    link: str | None = None


class Paging(Closed):
    next: NextPage | None = None


class ForwardPaging(Paging):
    pass


class CollectionResponseWithTotalSimplePublicObject(Closed):
    results: list[SimplePublicObject]
    total: int
    paging: Paging | None = None


class ErrorDetail(Closed):
    message: str
    code: str | None = None
    context: Context | None = None
    subCategory: str | None = None


class StandardError(Closed):
    """`policyName`, `errorType` and `requestId` are those of a 429, from HubSpot's page on usage limits."""

    category: str | None = None
    context: Context | None = None
    correlationId: str | None = None
    errors: list[ErrorDetail] | None = None
    message: str | None = None
    status: str | None = None
    subCategory: Any = None
    errorType: str | None = None
    policyName: Literal["DAILY", "TEN_SECONDLY_ROLLING", "SECONDLY"] | None = None
    requestId: str | None = None


class Refusal(StandardError):
    """The body of a refused request; the version of 2026-09 demands these three."""

    category: str
    correlationId: str
    message: str


class BatchError(Refusal):
    """An error among the results."""


class BatchResponseSimplePublicObject(Closed):
    completedAt: Moment
    results: list[SimplePublicObject]
    startedAt: Moment
    status: Literal["CANCELED", "COMPLETE", "PENDING", "PROCESSING"]
    errors: list[BatchError] | None = None
    numErrors: int | None = None


class AssociationSpecWithLabel(Closed):
    category: Category
    typeId: int
    label: str | None = None


class MultiAssociatedObjectWithLabel(Closed):
    associationTypes: list[AssociationSpecWithLabel]
    toObjectId: Id


class CollectionResponseMultiAssociatedObjectWithLabelForwardPaging(Closed):
    results: list[MultiAssociatedObjectWithLabel]
    paging: ForwardPaging | None = None


class Option(Closed):
    hidden: bool
    label: str
    value: str
    description: str | None = None
    displayOrder: int | None = None


class PropertyModificationMetadata(Closed):
    archivable: bool
    readOnlyDefinition: bool
    readOnlyValue: bool


class Property(Closed):
    description: str
    fieldType: str
    groupName: str
    label: str
    name: str
    options: list[Option]
    type: str
    archived: bool | None = None
    displayOrder: int | None = None
    formField: bool | None = None
    hidden: bool | None = None
    hasUniqueValue: bool | None = None
    hubspotDefined: bool | None = None
    modificationMetadata: PropertyModificationMetadata | None = None


class CollectionResponsePropertyNoPaging(Closed):
    results: list[Property]


class Owner(Closed):
    archived: bool
    createdAt: Moment
    id: Id
    type: Literal["PERSON", "QUEUE"]
    updatedAt: Moment
    email: str | None = None
    userId: int | None = None


class Owners(Closed):
    results: list[Owner]
    paging: ForwardPaging | None = None


# ---- calls ----

VERSION = "2026-09"
CONTACTS, MEETINGS = f"/crm/objects/{VERSION}/contacts", f"/crm/objects/{VERSION}/meetings"
PROPERTIES, OWNERS = f"/crm/properties/{VERSION}/contacts", f"/crm/owners/{VERSION}"
#: A key or an e-mail address may stand where the id does.
ONE = r"/(?!search$|merge$|gdpr-delete$).+"
BATCH = {200: BatchResponseSimplePublicObject, 207: BatchResponseSimplePublicObject}
MEETINGS_OF = CollectionResponseMultiAssociatedObjectWithLabelForwardPaging
CALLS = [
    Call("POST", f"{CONTACTS}/search", {200: CollectionResponseWithTotalSimplePublicObject}, ContactSearchParams),
    Call("POST", f"{CONTACTS}/batch/read", BATCH, ContactBatchReadParams),
    Call("POST", f"{CONTACTS}/merge", {200: SimplePublicObject}, ContactMergeParams),
    Call("POST", f"{CONTACTS}/gdpr-delete", {204: None}, ContactGdprDeleteParams),
    Call("GET", f"{CONTACTS}{ONE}/associations/meetings", {200: MEETINGS_OF}, query=PageQuery),
    Call("GET", f"{CONTACTS}{ONE}", {200: SimplePublicObjectWithAssociations}, query=ReadQuery),
    Call("PATCH", f"{CONTACTS}{ONE}", {200: SimplePublicObject}, ContactUpdateParams),
    Call("DELETE", f"{CONTACTS}{ONE}", {204: None}),
    Call("POST", CONTACTS, {201: SimplePublicObject}, ContactCreateParams),
    Call("POST", f"{MEETINGS}/batch/read", BATCH, MeetingBatchReadParams),
    Call("GET", f"{MEETINGS}{ONE}", {200: SimplePublicObjectWithAssociations}, query=ReadQuery),
    Call("PATCH", f"{MEETINGS}{ONE}", {200: SimplePublicObject}, MeetingUpdateParams),
    Call("POST", MEETINGS, {201: SimplePublicObject}, MeetingCreateParams),
    Call("GET", f"{PROPERTIES}/[^/]+", {200: Property}),
    Call("GET", PROPERTIES, {200: CollectionResponsePropertyNoPaging}),
    Call("POST", PROPERTIES, {201: Property}, PropertyCreateParams),
    Call("GET", OWNERS, {200: Owners}, query=OwnersQuery),
]


def conforming(inner: httpx.AsyncBaseTransport) -> Conforming:
    """Hold all that goes through `inner` to HubSpot's shapes."""
    return Conforming(inner, CALLS, Refusal)
