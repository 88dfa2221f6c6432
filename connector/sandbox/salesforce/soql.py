"""The SOQL that the sandbox understands: one object, AND or OR with brackets, =, !=, IN, LIKE, ORDER BY, LIMIT."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connector.sandbox.salesforce.model import UNFILTERED, Record, Refusal, whole

TOKEN = re.compile(r"\s*(?:('(?:[^'\\]|\\.)*')|([A-Za-z_]\w*|\d+)|(!=|=|\(|\)|,))", re.DOTALL)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
Test = Callable[[Record], bool]
#: Field → (type, length).
Fields = dict[str, tuple[str, int]]


@dataclass(frozen=True)
class Query:
    """A parsed query."""

    object: str
    fields: list[str]
    test: Test
    order: tuple[str, bool] | None
    limit: int | None


class Parser:
    """Reads one query; `fields_of` gives the fields of an object that the caller may see. Raises Refusal."""

    def __init__(self, text: str, fields_of: Callable[[str], Fields]) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._fields_of = fields_of
        self._object = ""
        self._fields: Fields = {}

    def read(self) -> Query:
        """The whole query."""
        self._word("SELECT")
        names = [self._take()]
        while self._is(","):
            names.append(self._take())
        self._word("FROM")
        self._object = self._take()
        self._fields = self._fields_of(self._object)
        for name in names:
            self._known(name)
        test = self._any() if self._is("WHERE") else lambda _: True
        order, limit = self._order(), int(self._take()) if self._is("LIMIT") else None
        if self._at < len(self._tokens):
            raise _malformed(f"unexpected token: {self._tokens[self._at]}")
        return Query(self._object, names, test, order, limit)

    def _order(self) -> tuple[str, bool] | None:
        if not self._is("ORDER"):
            return None
        self._word("BY")
        name = self._known(self._take())
        return name, self._is("DESC")

    def _any(self) -> Test:
        """Conditions joined by AND or by OR; the two may not stand side by side without brackets."""
        tests, joined = [self._one()], ""
        while (word := next((w for w in ("AND", "OR") if self._is(w)), "")) != "":
            if joined not in ("", word):
                raise _malformed(f"unexpected token: {word}")
            joined = word
            tests.append(self._one())
        how = any if joined == "OR" else all
        return lambda record: how(test(record) for test in tests)

    def _one(self) -> Test:
        if self._is("("):
            test = self._any()
            self._word(")")
            return test
        name = self._known(self._take())
        if self._fields[name][0] in UNFILTERED:
            raise Refusal(400, "INVALID_FIELD", f"field '{name}' can not be filtered in a query call")
        return self._comparison(name, self._take().upper())

    def _comparison(self, name: str, operator: str) -> Test:
        if operator == "LIKE":
            pattern = _like(self._take())
            return lambda record: pattern.fullmatch(str(record.value(name) or "")) is not None
        if operator == "IN":
            self._word("(")
            values = [self._literal(name)]
            while self._is(","):
                values.append(self._literal(name))
            self._word(")")
        elif operator in ("=", "!="):
            values = [self._literal(name)]
        else:
            raise _malformed(f"unexpected token: {operator}")
        return lambda record: (_plain(record.value(name)) in values) is (operator != "!=")

    def _literal(self, name: str) -> Any:
        token = self._take()
        if token.lower() in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[token.lower()]
        if not token.startswith("'"):
            raise _malformed(f"unexpected token: {token}")
        text = _unescaped(token[1:-1])
        if self._fields[name][0] in ("id", "reference"):
            if not re.fullmatch(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", text) or whole(text)[: len(text)] != text:
                raise Refusal(400, "INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}")
            text = whole(text)
        return _plain(text)

    def _known(self, name: str) -> str:
        if name not in self._fields:
            text = f"No such column '{name}' on entity '{self._object}'. If you are attempting to use a custom field, be sure"
            raise Refusal(400, "INVALID_FIELD", f"{text} to append the '__c' after the custom field name.")
        return name

    def _take(self) -> str:
        if self._at >= len(self._tokens):
            raise _malformed("unexpected token: '<EOF>'")
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, word: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at].upper() == word
        self._at += found
        return found

    def _word(self, word: str) -> None:
        if not self._is(word):
            raise _malformed(f"expecting '{word}'")


def _tokens(text: str) -> list[str]:
    found, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise _malformed(f"unexpected character at {at}")
        found.append(next(group for group in match.groups() if group is not None))
        at = match.end()
    return found


def _plain(value: Any) -> Any:
    """What is compared: text without regard to case, as Salesforce does."""
    return value.casefold() if isinstance(value, str) else value


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match[1] not in ESCAPES:
            raise _malformed("Illegal string literal")
        return ESCAPES[match[1]]

    return re.sub(r"\\(.)", one, text, flags=re.DOTALL)


def _like(token: str) -> re.Pattern[str]:
    parts = []
    for piece in re.findall(r"\\.|.", token[1:-1], flags=re.DOTALL):
        if piece in ("\\%", "\\_"):
            parts.append(re.escape(piece[1]))
        elif piece.startswith("\\"):
            parts.append(re.escape(_unescaped(piece)))
        else:
            parts.append({"%": ".*", "_": "."}.get(piece, re.escape(piece)))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _malformed(text: str) -> Refusal:
    return Refusal(400, "MALFORMED_QUERY", text)
