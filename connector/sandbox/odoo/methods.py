"""The public methods of the Odoo sandbox's models: name, arguments and context in, the bare value out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from connector.sandbox.odoo import model as m
from connector.sandbox.odoo.model import FIELDS, PARTNER, REFERENCES, Json
from connector.sandbox.odoo.records import Records

#: Given the call's own arguments as keywords; a wrong one is a TypeError.
Method = Callable[..., Any]


class Methods:
    """Calls of methods, by either API; `requests` counts them as `model method`."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.requests: Counter[str] = Counter()

    def call(self, model: str, method: str, arguments: Mapping[str, Any], ids: list[int] | None, context: Json) -> Any:
        """Carry out one method. Raises `OdooError`."""
        if model not in self.records.schema and model != REFERENCES:
            raise m.not_found(f"the model {model!r} does not exist")
        if method.startswith("_"):
            raise m.OdooError(
                "odoo.exceptions.AccessError", f"Private methods (such as '{model}.{method}') cannot be called.", 403
            )
        found = self._of_model(model, context).get(method)
        on_records = self._of_records(model, ids or [], context).get(method)
        if found is None and on_records is None:
            raise m.not_found(f"The method '{model}.{method}' does not exist")
        self.requests[f"{model} {method}"] += 1
        if found is not None and ids:
            raise m.unprocessable(f"cannot call {model}.{method} with ids")
        try:
            return (found or on_records)(**arguments)  # type: ignore[misc]
        except TypeError as error:
            raise m.unprocessable(str(error)) from None

    def _of_model(self, model: str, context: Json) -> dict[str, Method]:
        records = self.records

        def search_read(domain: list[Any], fields: list[str], limit: int | None = None, order: str = "id") -> list[Json]:
            found = records.search(model, domain, context)
            found.sort(key=lambda record: record["id"], reverse=order.endswith("desc"))
            return [records.shown(model, record, fields) for record in found[:limit]]

        def create(vals_list: Any) -> Any:
            given = vals_list if isinstance(vals_list, list) else [vals_list]
            if model == FIELDS:
                return [records.add_field(values, context) for values in given]
            return [records.create(model, values, context) for values in given]

        def load(fields: list[str], data: list[list[Any]]) -> Json:
            return records.load(model, fields, data, context)

        def fields_get(allfields: list[str] | None = None, attributes: list[str] | None = None) -> Json:  # noqa: ARG001
            return records.described(model, allfields)

        def check_object_reference(module: str, xml_id: str, raise_on_access_error: bool = False) -> list[Any]:  # noqa: ARG001
            return records.reference(module, xml_id, context)

        def check_access_rights(operation: str, raise_exception: bool = True) -> bool:  # noqa: ARG001
            return records.has_right(model, operation)

        if model == REFERENCES:
            return {"check_object_reference": check_object_reference}
        methods: dict[str, Method] = {"search_read": search_read, "create": create, "load": load, "fields_get": fields_get}
        return methods if records.major >= 18 else {**methods, "check_access_rights": check_access_rights}

    def _of_records(self, model: str, ids: list[int], context: Json) -> dict[str, Method]:
        records = self.records

        def write(vals: Json) -> bool:
            return records.write(model, ids, vals, context)

        def get_external_id() -> dict[str, str]:
            return records.external_ids(model, ids)

        def has_access(operation: str) -> bool:
            return records.has_right(model, operation)

        methods: dict[str, Method] = {"write": write, "get_external_id": get_external_id}
        return {**methods, "has_access": has_access} if records.major >= 18 else methods


def keys_of(model: str, method: str, arguments: Mapping[str, Any]) -> list[str]:
    """The external ids that a call of `load` touches."""
    if method != "load" or model not in (PARTNER, m.EVENT):
        return []
    fields, data = arguments.get("fields", []), arguments.get("data", [])
    return [str(row[fields.index("id")]) for row in data] if "id" in fields else []
