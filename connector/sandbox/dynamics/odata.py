"""The `$filter` that the sandbox understands: eq, ne, and, or, brackets, contains with the wildcard %."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from connector.sandbox.dynamics.model import GUID, Refusal, Row, folded

TOKEN = re.compile(rf"\s*(?:('(?:[^']|'')*')|({GUID.pattern})|([A-Za-z_]\w*|-?\d+)|(\(|\)|,))")
Test = Callable[[Row], bool]


class Parser:
    """Reads one filter over the columns that are `known`. Raises Refusal."""

    def __init__(self, text: str, known: Collection[str]) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._known = known

    def read(self) -> Test:
        """The whole filter."""
        test = self._any()
        if self._at < len(self._tokens):
            raise _malformed(self._tokens[self._at])
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._is("or"):
            tests.append(self._all())
        return lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._is("and"):
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._is("("):
            test = self._any()
            self._must(")")
            return test
        if self._is("contains"):
            return self._contains()
        name, operator, wanted = self._column(), self._take(), folded(self._literal())
        if operator not in ("eq", "ne"):
            raise _malformed(operator)
        return lambda row: (folded(row.value(name)) == wanted) is (operator == "eq")

    def _contains(self) -> Test:
        self._must("(")
        name = self._column()
        self._must(",")
        parts = str(folded(self._literal())).split("%")
        self._must(")")
        pattern = re.compile(".*".join(re.escape(part) for part in parts), re.DOTALL)
        return lambda row: pattern.search(str(folded(row.value(name)) or "")) is not None

    def _literal(self) -> Any:
        token = self._take()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if GUID.fullmatch(token):
            return token.lower()
        if token in ("null", "true", "false"):
            return {"null": None, "true": True, "false": False}[token]
        if not re.fullmatch(r"-?\d+", token):
            raise _malformed(token)
        return int(token)

    def _column(self) -> str:
        name = self._take()
        if name not in self._known:
            raise unknown_column(name)
        return name

    def _take(self) -> str:
        if self._at >= len(self._tokens):
            raise _malformed("the end")
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, word: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == word
        self._at += found
        return found

    def _must(self, word: str) -> None:
        if not self._is(word):
            raise _malformed(f"no {word}")


def unknown_column(name: str, kind: str = "contact") -> Refusal:
    """The refusal of a column that does not exist."""
    return Refusal(400, "0x80060888", f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{kind}'.")


def _tokens(text: str) -> list[str]:
    found, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise _malformed(text[at : at + 1])
        found.append(next(group for group in match.groups() if group is not None))
        at = match.end()
    return found


def _malformed(token: str) -> Refusal:
    return Refusal(400, "0x80060888", f"Syntax error in $filter near {token}.")
