"""The JSON schema of the configuration file, made from the settings models, for editors that check and complete TOML."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from connector.config import settings
from connector.config.database import DatabaseSettings
from connector.config.operators import StatusSettings
from connector.config.outbound import OutboundSettings
from connector.config.settings import NAME, Systems

#: A secret as it may be written.
_SECRET = {
    "description": 'A secret: { env = "NAME" }, { file = "path" }, or plain text, which `connector check` warns of.',
    "anyOf": [
        {"type": "string", "minLength": 1},
        *(
            {"type": "object", "properties": {key: {"type": "string"}}, "required": [key], "additionalProperties": False}
            for key in ("env", "file")
        ),
    ],
}
_SECTIONS: dict[str, type[BaseModel]] = {
    "server": settings.ServerSettings,
    "database": DatabaseSettings,
    "worker": settings.WorkerSettings,
    "status": StatusSettings,
    "log": settings.LogSettings,
    "outbound": OutboundSettings,
}


def schema(systems: Systems) -> dict[str, Any]:
    """Build it; `systems` names the integrations whose settings `[booking.NAME]` and `[crm.NAME]` may hold."""
    definitions: dict[str, Any] = {"secret": _SECRET}
    properties = {name: _model(model, name, definitions) for name, model in _SECTIONS.items()}
    booking = {name: systems.booking(name) for name in systems.booking_systems()}
    crms = {name: systems.crm(name) for name in systems.crms()}
    properties["booking"] = _accounts("booking", booking, definitions)
    properties["crm"] = _accounts("crm", crms, definitions)
    properties["sync"] = {"type": "array", "items": _model(settings.SyncSettings, "sync", definitions)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "connector.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _accounts(kind: str, models: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The tables `[kind.NAME]`: which keys one may have depends on its `system`."""
    cases = []
    for system, model in models.items():
        reference = _model(model, f"{kind}.{system}", definitions)
        definitions[f"{kind}.{system}"]["properties"]["system"] = {"const": system}
        cases.append({"if": {"properties": {"system": {"const": system}}, "required": ["system"]}, "then": reference})
    one = {"type": "object", "required": ["system"], "properties": {"system": {"enum": list(models)}}, "allOf": cases}
    return {"type": "object", "patternProperties": {f"^{NAME.pattern}$": one}, "additionalProperties": False}


def _model(model: type[BaseModel], name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Add a model's schema to the definitions, under a name of its own; answers the reference to it."""
    found = model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    for inner, definition in found.pop("$defs", {}).items():
        definitions[f"{name}.{inner}"] = _plain(definition)
    definitions[name] = _plain(found)
    return {"$ref": f"#/$defs/{name}"}


def _plain(part: Any) -> Any:
    """Secrets as they are written in the file, and no default of a key that says "not set"."""
    if isinstance(part, list):
        return [_plain(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("format") == "password":
        return {"$ref": "#/$defs/secret"}
    return {key: _plain(value) for key, value in part.items() if not (key == "default" and value is None)}
