"""What the Odoo sandbox stores and how it refuses: fields of its models, values as they are kept, Odoo's exceptions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers

Json = dict[str, Any]
PARTNER, EVENT, KEYS, REFERENCES = "res.partner", "calendar.event", "res.users.apikeys", "ir.model.data"
MODELS, FIELDS, USERS = "ir.model", "ir.model.fields", "res.users"
#: The one user of the sandbox.
USER = 2
#: model → field → (type, default). What is computed or read only is marked by the default None.
SCHEMA: dict[str, dict[str, tuple[str, Any]]] = {
    PARTNER: {
        "name": ("char", False),
        "email": ("char", False),
        "phone": ("char", False),
        "ref": ("char", False),
        "comment": ("html", False),
        "function": ("char", False),
        "user_id": ("many2one", False),
        "active": ("boolean", True),
        "email_normalized": ("char", None),
        "phone_sanitized": ("char", None),
    },
    EVENT: {
        "name": ("char", False),
        "start": ("datetime", False),
        "stop": ("datetime", False),
        "location": ("char", False),
        "description": ("html", False),
        "show_as": ("selection", "busy"),
        "active": ("boolean", True),
        "partner_ids": ("many2many", ()),
    },
    USERS: {
        "login": ("char", False),
        "email": ("char", False),
        "share": ("boolean", False),
        "active": ("boolean", True),
    },
    KEYS: {
        "name": ("char", False),
        "user_id": ("many2one", False),
        "scope": ("char", False),
        "expiration_date": ("datetime", False),
    },
    MODELS: {"model": ("char", False), "name": ("char", False)},
    FIELDS: {
        "name": ("char", False),
        "model": ("char", False),
        "model_id": ("many2one", False),
        "field_description": ("char", False),
        "ttype": ("selection", False),
    },
}
ALWAYS = ("id", "create_date", "write_date")
FORMAT = "%Y-%m-%d %H:%M:%S"
EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
NAME_OF_KEY = re.compile(r"[^\s]+")


class OdooError(Exception):
    """An exception that Odoo would raise: its class by its full name, its text, and the status JSON-2 answers it with."""

    def __init__(self, name: str, message: str, status: int, field: str | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.status = status
        #: The field that a cell of an import did not fit.
        self.field = field

    def body(self) -> Json:
        """The answer of JSON-2; `debug` holds what nobody should keep."""
        return {
            "name": self.name,
            "message": str(self),
            "arguments": [str(self)],
            "context": {},
            "debug": f'Traceback (most recent call last):\n  File "/opt/server/http.py"\n{self.name}: {self}',
        }


def access(model: str, operation: str) -> OdooError:
    """The user lacks a right."""
    return OdooError("odoo.exceptions.AccessError", f"You are not allowed to {operation} '{model}' records.", 403)


def missing() -> OdooError:
    """A record that was there is not any more."""
    return OdooError("odoo.exceptions.MissingError", "Record does not exist or has been deleted.", 404)


def invalid(message: str) -> OdooError:
    """A rule of the model refuses the values."""
    return OdooError("odoo.exceptions.ValidationError", message, 422)


def value_error(message: str) -> OdooError:
    """Something that can never work, answered with 500 all the same."""
    return OdooError("builtins.ValueError", message, 500)


def unprocessable(message: str) -> OdooError:
    """The method was called with the wrong arguments."""
    return OdooError("werkzeug.exceptions.UnprocessableEntity", message, 422)


def not_found(message: str) -> OdooError:
    """There is no such model or method."""
    return OdooError("werkzeug.exceptions.NotFound", message, 404)


def unauthorized() -> OdooError:
    """The key is wrong or no longer valid."""
    return OdooError("werkzeug.exceptions.Unauthorized", "Invalid apikey", 401)


def checked(
    model: str, schema: Mapping[str, tuple[str, Any]], values: Mapping[str, Any], options: Mapping[str, Mapping[str, str]]
) -> Json:
    """Values as they are kept. Raises `OdooError` for a field that does not exist and for a value of the wrong form."""
    kept: Json = {}
    for name, value in values.items():
        if name in ALWAYS:
            continue
        if name not in schema:
            raise value_error(f"Invalid field {name!r} on model {model!r}")
        if schema[name][1] is not None:
            kept[name] = _kept(name, schema[name][0], value)
            if name in options and kept[name] is not False and kept[name] not in options[name]:
                raise value_error(f"Wrong value for {model}.{name}: {value!r}")
    return kept


def cell(name: str, kind: str, text: str, options: Mapping[str, str], zone: str) -> Any:
    """The value of a cell of an import. Times are read in `zone`; an option is named by its value or its label."""
    try:
        match kind:
            case "boolean":
                return text.lower() in ("1", "true", "yes")
            case "integer" | "float":
                return int(text) if kind == "integer" else float(text)
            case "date":
                return date.fromisoformat(text).isoformat()
            case "datetime":
                here = datetime.strptime(text, FORMAT).replace(tzinfo=ZoneInfo(zone))
                return here.astimezone(UTC).strftime(FORMAT)
            case "selection" if options:
                return next(value for value, label in options.items() if text in (value, label))
    except (ValueError, StopIteration):
        wrong = f"{text!r} does not seem to be valid for field {name!r}"
        raise OdooError("builtins.ValueError", wrong, 500, field=name) from None
    return text


def _kept(name: str, kind: str, value: Any) -> Any:
    if kind == "many2many":
        return tuple(value[-1][2]) if value and isinstance(value[0], list | tuple) else tuple(value or ())
    if value is None or value is False:
        return 0 if kind in ("integer", "float") else False
    types = {"boolean": (bool,), "integer": (int,), "float": (int, float), "date": (str,)}.get(kind)
    if types is not None and type(value) not in types:
        raise value_error(f"could not convert {value!r}")
    if kind == "date":
        try:
            date.fromisoformat(value)
        except ValueError:
            raise value_error(f"time data {value!r} does not match format '%Y-%m-%d'") from None
    if kind in ("char", "html") and "\x00" in str(value):
        raise value_error("A string literal cannot contain NUL (0x00) characters.")
    if kind == "datetime":
        try:
            datetime.strptime(str(value), FORMAT)  # noqa: DTZ007 - Odoo's times are UTC without saying so
        except ValueError:
            raise value_error(f"time data {value!r} does not match format '%Y-%m-%d %H:%M:%S'") from None
    if name == "show_as" and value not in ("free", "busy"):
        raise value_error(f"Wrong value for calendar.event.show_as: {value!r}")
    if kind == "html":
        return re.sub(r"(?is)<script.*?</script>", "", str(value))
    return value


def email_normalized(email: Any) -> str | bool:
    """The first address in lower case; False where there is none."""
    found = EMAIL.search(email) if isinstance(email, str) else None
    return found[0].lower() if found else False


def phone_sanitized(phone: Any, *, knows_numbers: bool) -> str | bool:
    """E.164 where the server has the library for it, a copy of the text otherwise; False for a number without a country."""
    if not isinstance(phone, str) or not knows_numbers:
        return phone or False
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def condition(domain: Iterable[Any], known: Callable[[str], bool]) -> Callable[[Json], bool]:
    """A domain in Odoo's prefix notation as a predicate; terms that nothing joins are joined by *and*."""
    terms = list(domain)

    def one() -> Callable[[Json], bool]:
        if not terms:
            raise value_error("Domain is incomplete")
        term = terms.pop(0)
        if term in ("&", "|"):
            left, right = one(), one()
            return (lambda r: left(r) and right(r)) if term == "&" else (lambda r: left(r) or right(r))
        return _leaf(term, known)

    parts = []
    while terms:
        parts.append(one())
    return lambda record: all(part(record) for part in parts)


def _leaf(term: Any, known: Callable[[str], bool]) -> Callable[[Json], bool]:
    if not isinstance(term, list | tuple) or len(term) != 3:
        raise value_error(f"Invalid leaf {term!r}")
    name, operator, value = term
    if not known(str(name)):
        raise value_error(f"Invalid field {name!r} in leaf {tuple(term)!r}")
    if operator == "=":
        return lambda record: record[name] == value
    if operator == "in":
        return lambda record: any(one in value for one in _each(record[name]))
    if operator == "=ilike":
        pattern = re.escape(str(value)).replace("%", ".*").replace("_", ".")
        return lambda record: isinstance(record[name], str) and bool(re.fullmatch(f"(?is){pattern}", record[name]))
    raise value_error(f"Invalid operator {operator!r} in leaf {tuple(term)!r}")


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
