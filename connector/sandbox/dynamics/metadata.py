"""What the Dynamics sandbox says of its tables: columns, alternate keys and the state of their index, and privileges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from connector.sandbox.dynamics.model import COLUMNS, READ_ONLY, Refusal, Rules, new_id

#: Privilege → how far it reaches. Those that the documentation of the adapter asks for.
PRIVILEGES = (
    "prvReadContact", "prvCreateContact", "prvWriteContact", "prvAppendToContact",
    "prvReadActivity", "prvCreateActivity", "prvWriteActivity", "prvAppendActivity",
)  # fmt: skip
#: Level → whether it can be changed.
LEVELS = {"None": True, "Recommended": True, "ApplicationRequired": True, "SystemRequired": False}

#: Our word for a column's type → Dataverse's.
TYPES = {
    "text": "StringType", "memo": "MemoType", "decimal": "DecimalType", "whole": "IntegerType", "yes_no": "BooleanType",
    "bool": "BooleanType", "date": "DateTimeType", "time": "DateTimeType", "choice": "PicklistType",
    "choices": "MultiSelectPicklistType", "guid": "UniqueidentifierType", "state": "StateType",
}  # fmt: skip


class Metadata:
    """The definitions of one environment."""

    def __init__(self, clock: Callable[[], float], rules: Callable[[], Rules]) -> None:
        self._clock = clock
        self._rules = rules
        #: Contact's own columns: logical name → most characters.
        self.own: dict[str, int] = {}
        #: Further columns of contacts: logical name → (type, most characters, choices as number → label).
        self.further: dict[str, tuple[str, int, dict[int, str]]] = {}
        #: Alternate keys of contacts: logical name → columns, and when the index is there (None: it could not be made).
        self.keys: dict[str, tuple[list[str], float | None]] = {}
        #: Most characters and required levels that differ from those that Microsoft documents.
        self.lengths: dict[str, int] = {}
        self.required = {"firstname": "Recommended", "lastname": "ApplicationRequired"}
        self.privileges = dict.fromkeys(PRIVILEGES, "Global")
        #: False: the user may not change the tables.
        self.may_customize = True
        self.language = 1033

    def columns(self, table: str) -> dict[str, tuple[str, int]]:
        """The columns of a table: name → (type, most characters)."""
        known = dict(COLUMNS[table])
        if table == "contacts":
            known |= {name: ("text", length) for name, length in self.own.items()}
            known |= {name: ("text", length) for name, length in self.lengths.items()}
            known |= {name: (kind, length) for name, (kind, length, _) in self.further.items()}
        return known

    def choices(self, name: str) -> dict[int, str]:
        """The choices of a column of contacts."""
        return self.further[name][2] if name in self.further else {}

    def prepare(self, name: str) -> None:
        """Make a column of contacts with a key whose index is there."""
        self.own[name] = 64
        self.keys[f"{name}_key"] = ([name], 0.0)

    def is_key(self, name: str) -> bool:
        """Whether rows can be addressed by this column: a key whose index is not there yet does not count (seen)."""
        return name in self.active_keys()

    def active_keys(self) -> list[str]:
        """The columns of one-column keys whose index is there."""
        return [columns[0] for key, (columns, _) in self.keys.items() if self.status(key) == "Active"]

    def status(self, key: str) -> str:
        """The state of a key's index."""
        ready = self.keys[key][1]
        if ready is None:
            return "Failed"
        return "Active" if self._clock() >= ready else "Pending"

    def may(self, *needed: str) -> None:
        """Refuse what the user lacks a privilege for."""
        if missing := [name for name in needed if name not in self.privileges]:
            text = f"Principal user (Id=...) is missing {missing[0]} privilege"
            raise Refusal(403, "0x80040220", text)

    # ---- answers ----

    def definition(self) -> dict[str, Any]:
        """Contact's definition with its keys."""
        keys = [
            {
                "SchemaName": key,
                "LogicalName": key.lower(),
                "KeyAttributes": columns,
                "EntityKeyIndexStatus": self.status(key),
                "MetadataId": new_id(900 + number),
            }
            for number, (key, (columns, _)) in enumerate(self.keys.items())
        ]
        return {"LogicalName": "contact", "SchemaName": "Contact", "MetadataId": new_id(800), "Keys": keys}

    def strings(self) -> list[dict[str, Any]]:
        """Contact's text columns."""
        texts = {name: length for name, (kind, length) in self.columns("contacts").items() if kind == "text"}
        return [
            {
                "@odata.type": "#Microsoft.Dynamics.CRM.StringAttributeMetadata",
                "LogicalName": name,
                "MaxLength": length,
                "IsValidForCreate": True,
                "IsValidForUpdate": True,
                "RequiredLevel": _level(self.required.get(name, "None")),
                "MetadataId": new_id(1_000 + number),
            }
            for number, (name, length) in enumerate(texts.items())
        ]

    def attributes(self, kind: str = "") -> list[dict[str, Any]]:
        """Contact's columns with what all have, or those of one kind with what only it has."""
        columns = [(name, *info) for name, info in self.columns("contacts").items() if TYPES.get(info[0])]
        return [self._attribute(*column) for column in columns if not kind or TYPES[column[1]] == f"{kind}Type"]

    def _attribute(self, name: str, kind: str, length: int) -> dict[str, Any]:
        options = [{"Value": value, "Label": _shown(label)} for value, label in self.choices(name).items()]
        details: dict[str, dict[str, Any]] = {
            "text": {"MaxLength": length, "FormatName": {"Value": "Text"}},
            "memo": {"MaxLength": length, "FormatName": {"Value": "TextArea"}},
            "time": {"DateTimeBehavior": {"Value": "UserLocal"}},
            "date": {"DateTimeBehavior": {"Value": "DateOnly"}},
            "choice": {"OptionSet": {"Options": options}, "GlobalOptionSet": None},
            "choices": {"OptionSet": {"Options": options}, "GlobalOptionSet": None},
        }
        writable = name not in READ_ONLY
        return {
            "LogicalName": name,
            "AttributeTypeName": {"Value": TYPES[kind]},
            "IsValidForCreate": writable,
            "IsValidForUpdate": writable,
            "DisplayName": _shown(name),
            **details.get(kind, {}),
        }

    def held(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Those of the privileges that the user has."""
        return [
            {
                "Depth": self.privileges[name],
                "PrivilegeId": new_id(2_000 + number),
                "BusinessUnitId": new_id(3_000),
                "PrivilegeName": name,
            }
            for number, name in enumerate(names)
            if name in self.privileges
        ]

    # ---- changes ----

    def add_column(self, data: dict[str, Any]) -> None:
        """Make a text column of contacts."""
        self._customizing()
        name = str(data.get("SchemaName", "")).lower()
        if data.get("@odata.type") != "Microsoft.Dynamics.CRM.StringAttributeMetadata" or "_" not in name:
            raise Refusal(400, "0x80044363", f"Invalid name for attribute {name}.")
        if name in self.columns("contacts"):
            raise Refusal(400, "0x80044363", f"The schema name {name} for type attribute is not unique.")
        self._labelled(data)
        self.own[name] = int(data["MaxLength"])

    def add_key(self, data: dict[str, Any]) -> None:
        """Make an alternate key; its index is made in the background."""
        self._customizing()
        columns, name = list(data["KeyAttributes"]), str(data["SchemaName"])
        if name in self.keys or not all(column in self.columns("contacts") for column in columns):
            raise Refusal(400, "0x80060890", "an object with the same name exists, or there is no such attribute")
        self._labelled(data)
        self.keys[name] = (columns, self._index())

    def reactivate(self, data: dict[str, Any]) -> None:
        """Make the index of a key that failed once more."""
        self._customizing()
        name = next((key for key in self.keys if key.lower() == data.get("EntityKeyLogicalName")), None)
        if name is None or data.get("EntityLogicalName") != "contact":
            raise Refusal(404, "0x80040217", "no such key")
        self.keys[name] = (self.keys[name][0], self._index())

    def _index(self) -> float | None:
        return None if self._rules().index_fails else self._clock() + self._rules().index_seconds

    def _customizing(self) -> None:
        if not self.may_customize:
            raise Refusal(403, "0x80040220", "Principal user (Id=...) is missing prvCreateAttribute privilege")

    def _labelled(self, data: dict[str, Any]) -> None:
        languages = {label["LanguageCode"] for label in data["DisplayName"]["LocalizedLabels"]}
        if self.language not in languages:
            raise Refusal(400, "0x80044196", f"the label for the base language {self.language} is missing")


def _shown(text: str) -> dict[str, Any]:
    """A label as it is read."""
    label = {"Label": text, "LanguageCode": 1033}
    return {"LocalizedLabels": [label], "UserLocalizedLabel": label}


def _level(level: str) -> dict[str, Any]:
    return {"Value": level, "CanBeChanged": LEVELS[level], "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings"}
