"""What the sandbox says of its objects: the members of a describe that every answer has."""

from __future__ import annotations

from typing import Any

from connector.sandbox.salesforce.model import DATA, OPEN, PREFIXES, READ_ONLY
from connector.sandbox.salesforce.records import Records

#: Members of a field's description that our rows do not touch.
FIELD: dict[str, Any] = {
    **dict.fromkeys(
        (
            "aggregatable", "autoNumber", "calculated", "cascadeDelete", "caseSensitive", "defaultedOnCreate",
            "dependentPicklist", "deprecatedAndHidden", "displayLocationInDecimal", "encrypted", "highScaleNumber",
            "htmlFormatted", "namePointing", "permissionable", "queryByDistance", "restrictedDelete", "restrictedPicklist",
            "writeRequiresMasterRead", "nameField",
        ),
        False,
    ),
    **dict.fromkeys(
        (
            "calculatedFormula", "compoundFieldName", "controllerName", "defaultValue", "defaultValueFormula",
            "extraTypeInfo", "filteredLookupInfo", "inlineHelpText", "mask", "maskType", "referenceTargetField",
            "relationshipName", "relationshipOrder",
        )
    ),
    "digits": 0, "precision": 0, "scale": 0, "picklistValues": [], "referenceTo": [], "sortable": True, "groupable": True,
}  # fmt: skip
FLAGS = (
    "activateable", "customSetting", "feedEnabled", "deepCloneable", "deprecatedAndHidden", "hasSubtypes", "isInterface",
    "isSubtype", "compactLayoutable", "lookupLayoutable", "searchLayoutable",
)  # fmt: skip
RIGHTS = (
    "createable", "deletable", "idEnabled", "layoutable", "listviewable", "mergeable", "mruEnabled", "queryable",
    "replicateable", "retrieveable", "searchable", "triggerable", "undeletable", "updateable",
)  # fmt: skip
#: Types whose SOAP name is another one than that of text.
SOAP = {"id": "tns:ID", "boolean": "xsd:boolean", "double": "xsd:double", "int": "xsd:int", "date": "xsd:date",
        "datetime": "xsd:dateTime"}  # fmt: skip
NULLS = ("networkScopeFieldName", "supportedScopes")


def describe(records: Records, kind: str, denied: set[str]) -> dict[str, Any]:
    """The description of an object; `denied` are the rights on it that the integration user lacks."""
    options = records.options_of(kind)
    fields = [_field(records, name, options.get(name, []), *info) for name, info in records.fields_of(kind).items()]
    return {
        **dict.fromkeys(FLAGS, False),
        **{right: right not in denied for right in RIGHTS},
        **dict.fromkeys(NULLS),
        **{name: [] for name in ("actionOverrides", "childRelationships", "namedLayoutInfos", "recordTypeInfos")},
        "custom": False,
        "keyPrefix": PREFIXES[kind],
        "label": kind,
        "labelPlural": f"{kind}s",
        "name": kind,
        "urls": {"sobject": f"{DATA}/sobjects/{kind}"},
        "fields": fields,
    }


def _field(records: Records, name: str, options: list[str], kind: str, length: int) -> dict[str, Any]:
    own = records.custom.get(name, {})
    writable = name not in READ_ONLY and name not in records.read_only
    return {
        **FIELD,
        "name": name,
        "label": name,
        "type": kind,
        "soapType": SOAP.get(kind, "xsd:string"),
        "length": length,
        "byteLength": 3 * length,
        "custom": bool(own),
        "createable": writable,
        "updateable": writable,
        "externalId": bool(own.get("externalId")),
        "idLookup": bool(own.get("externalId")) or name in ("Id", "Email"),
        "unique": bool(own.get("unique")),
        "nillable": name not in ("Id", "LastName"),
        "filterable": kind != "textarea",
        "restrictedPicklist": bool(options) and name not in OPEN,
        "picklistValues": [
            {"active": True, "defaultValue": False, "label": value, "validFor": None, "value": value} for value in options
        ],
    }
