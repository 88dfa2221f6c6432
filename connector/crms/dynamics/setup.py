"""Whether an environment is set up for us, and what of it can be made from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.crms.dynamics.api import Client
from connector.crms.dynamics.mapping import FIELDS, LENGTHS, guid
from connector.crms.dynamics.refusals import HINT_FIX, LATER, ROLE
from connector.model.errors import AccountPaused, LimitReached, RemoteError, Transient
from connector.model.problems import Check, Level, Topic
from connector.remote.values import read_object, read_objects, read_text

#: Characters of our key.
KEY_LENGTH = 64
CONTACTS = ("prvReadContact", "prvCreateContact", "prvWriteContact")
APPOINTMENTS = ("prvReadActivity", "prvCreateActivity", "prvWriteActivity", "prvAppendActivity", "prvAppendToContact")
#: States of a key's index while it is made.
BUILDING = frozenset(("Pending", "InProgress"))
ENGLISH = 1033


class Setup:
    """The set-up of one environment, as our user sees it. `account` is the configured name."""

    def __init__(self, account: str, client: Client, key: str) -> None:
        self._account = account
        self._client = client
        self._key = key
        self._lengths: dict[str, int] | None = None

    async def lengths(self) -> Mapping[str, int]:
        """Most characters of the columns we write, read once; those that are documented where that is not possible."""
        if self._lengths is None:
            try:
                self._learn(await self._columns())
            except LimitReached:
                raise
            except (AccountPaused, Transient):
                # What is too long is refused then, and nothing else changes.
                return LENGTHS
        return self._lengths or LENGTHS

    # ---- health ----

    async def probe(self) -> None:
        """Read the keys of contacts: shows in one call that the credentials work and our key is ready."""
        name, status = await self._alternate_key()
        if name is None:
            how = f"contacts have no alternate key on the column {self._key}"
            raise AccountPaused(f"Dynamics 365: {how}", account=self._account, hint=HINT_FIX)
        if status in BUILDING:
            how = f"the index of the alternate key on {self._key} is being made ({status})"
            hint = f"Wait until Dataverse has made it; {LATER}"
            raise AccountPaused(f"Dynamics 365: {how}", account=self._account, hint=hint)
        if status != "Active":
            how = f"the index of the alternate key on {self._key} could not be made"
            hint = (
                f"Perhaps two contacts share a value there: empty one, then run `connector check --fix --config FILE`; {LATER}"
            )
            raise AccountPaused(f"Dynamics 365: {how}", account=self._account, hint=hint)

    async def checks(self, *, appointments: bool = True) -> list[Check]:
        """Say separately whether our key, the columns we write, and our privileges are as they should be.

        `appointments` says whether those for appointments are needed.
        """
        try:
            columns = await self._columns(probe=True)
            held = await self._privileges()
        except RemoteError as error:
            return [self._check("account", error.hint, str(error))]
        self._learn(columns)
        found = [await self._key_check(columns), self._columns_check(columns), self._rights("contacts", CONTACTS, held)]
        return [*found, self._rights("appointments", APPOINTMENTS, held)] if appointments else found

    async def _key_check(self, columns: Mapping[str, Any]) -> Check:
        own = columns.get(self._key)
        if own is not None and (wrong := _unfit(own)):
            hint = f"Correct it in Dynamics, or set another person_key_field in [{self._account}]."
            return self._check("key", hint, f"Dynamics 365: the contact column {self._key} {wrong}")
        try:
            await self.probe()
        except RemoteError as error:
            return self._check("key", error.hint, str(error))
        return self._well("key", f"the alternate key on the contact column {self._key} is ready")

    def _columns_check(self, columns: Mapping[str, Any]) -> Check:
        """Columns that we write and cannot, and columns that the environment's forms demand and we do not know."""
        closed = [name for name in FIELDS.values() if not columns.get(name, {}).get("IsValidForCreate")]
        if closed:
            text = f"Dynamics 365: our user does not see or may not write contact columns: {', '.join(closed)}"
            return self._check("columns", f"{ROLE}.", text)
        needed = [name for name, column in columns.items() if _is_required(column) and name not in FIELDS.values()]
        if needed:
            text = f"Dynamics 365: the environment's forms require contact columns that we do not write: {', '.join(needed)}"
            hint = "connector creates contacts without them; who opens one there must fill them before saving."
            return self._check("columns", hint, text, "warning")
        return self._well("columns", "the contact columns can be written")

    def _rights(self, what: str, names: tuple[str, ...], held: Mapping[str, str]) -> Check:
        missing = [name for name in names if name not in held]
        if missing:
            text = f"Dynamics 365: our user lacks privileges for {what}: {', '.join(missing)}"
            return self._check(what, f"Add them to a security role of the application user; {LATER}", text)
        narrow = [name for name in names if name.startswith("prvRead") and held[name] != "Global"]
        if narrow:
            text = f"Dynamics 365: our user sees only some {what}: {narrow[0]} reaches {held[narrow[0]]}"
            hint = "A contact that it does not see would be created again: give it that privilege for the whole organisation."
            return self._check(what, hint, text, "warning")
        return self._well(what, f"{what} can be read and written")

    def _check(self, name: str, hint: str, text: str, level: Level = "error") -> Check:
        return Check(topic=Topic(self._account, name), level=level, message=text, hint=hint)

    def _well(self, name: str, text: str) -> Check:
        return Check(topic=Topic(self._account, name), level="ok", message=f"Dynamics 365: {text}")

    # ---- making what is missing ----

    async def fix(self) -> list[str]:
        """Create our column and its alternate key, or have an index that failed made again.

        The index is made in the background: what waits goes on when it is ready. Raises AccountPaused with a hint where
        our user may not do that.
        """
        done = []
        columns = await self._columns(probe=True)
        name, status = await self._alternate_key()
        if self._key not in columns:
            await self._client.create_column(self._column(await self._language()))
            done.append(f"Dynamics 365: created the contact column {self._key}.")
        if name is None:
            await self._client.create_key(self._definition(await self._language()))
            done.append(f"Dynamics 365: created an alternate key on it; {await self._progress()}.")
        elif status == "Failed":
            await self._client.reactivate_key(name)
            done.append(
                f"Dynamics 365: had the index of the alternate key on {self._key} made again; {await self._progress()}."
            )
        return done

    async def _progress(self) -> str:
        _, status = await self._alternate_key()
        if status == "Active":
            return "its index is ready"
        return f"its index is made in the background ({status or 'Pending'}), and events wait until it is ready"

    def _column(self, language: int) -> dict[str, Any]:
        what = "Written by connector: keeps one person from becoming two contacts. Do not edit."
        return {
            "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
            "AttributeType": "String",
            "AttributeTypeName": {"Value": "StringType"},
            "SchemaName": self._key,
            "MaxLength": KEY_LENGTH,
            "FormatName": {"Value": "Text"},
            "RequiredLevel": {
                "Value": "None",
                "CanBeChanged": True,
                "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
            },
            "DisplayName": _label("Connector key", language),
            "Description": _label(what, language),
        }

    def _definition(self, language: int) -> dict[str, Any]:
        return {
            "@odata.type": "Microsoft.Dynamics.CRM.EntityKeyMetadata",
            "SchemaName": f"{self._key}_key",
            "KeyAttributes": [self._key],
            "DisplayName": _label("Connector key", language),
        }

    # ---- reading answers ----

    def _learn(self, columns: Mapping[str, Any]) -> None:
        found = {name: columns.get(name, {}).get("MaxLength") for name in LENGTHS}
        self._lengths = LENGTHS | {name: most for name, most in found.items() if type(most) is int and most > 0}

    async def _columns(self, *, probe: bool = False) -> dict[str, dict[str, Any]]:
        """The text columns of contacts by logical name."""
        found = read_objects(read_object((await self._client.strings(probe=probe)).data).get("value"))
        columns = {read_text(column.get("LogicalName")): column for column in found}
        if "lastname" not in columns:
            raise self._odd("read what a contact has: answered without its columns")
        return columns

    async def _alternate_key(self) -> tuple[str | None, str]:
        """Logical name and index state of the key that is on our column alone; None where there is none."""
        data = read_object((await self._client.keys()).data)
        if not isinstance(data.get("Keys"), list):
            raise self._odd("read what a contact has: answered without its keys")
        for key in read_objects(data["Keys"]):
            if key.get("KeyAttributes") == [self._key]:
                return read_text(key.get("LogicalName")), read_text(key.get("EntityKeyIndexStatus"))
        return None, ""

    async def _privileges(self) -> dict[str, str]:
        """What our user holds: privilege → how far it reaches."""
        user = guid(read_object((await self._client.who()).data).get("UserId"))
        if user is None:
            raise self._odd("ask who we are: answered without a user")
        data = read_object((await self._client.privileges(user, (*CONTACTS, *APPOINTMENTS))).data)
        held = read_objects(data.get("RolePrivileges"))
        return {read_text(one.get("PrivilegeName")): read_text(one.get("Depth")) for one in held}

    async def _language(self) -> int:
        rows = read_objects(read_object((await self._client.language()).data).get("value"))
        code = rows[0].get("languagecode") if rows else None
        return code if type(code) is int else ENGLISH

    def _odd(self, how: str) -> Transient:
        return Transient(f"Dynamics 365: {how}", account=self._account)


def _label(text: str, language: int) -> dict[str, Any]:
    kind = "Microsoft.Dynamics.CRM."
    localized = {"@odata.type": f"{kind}LocalizedLabel", "Label": text, "LanguageCode": language}
    return {"@odata.type": f"{kind}Label", "LocalizedLabels": [localized]}


def _unfit(column: Mapping[str, Any]) -> str:
    """Why the column cannot carry our key; empty where it can."""
    most = column.get("MaxLength")
    if type(most) is int and most < KEY_LENGTH:
        return f"holds {most} characters, and our key has {KEY_LENGTH}"
    if column.get("IsValidForCreate") is False or column.get("IsValidForUpdate") is False:
        return "cannot be written"
    return ""


def _is_required(column: Mapping[str, Any]) -> bool:
    level = read_object(column.get("RequiredLevel")).get("Value")
    return level in ("ApplicationRequired", "SystemRequired") and column.get("IsValidForCreate") is True
