"""The query language of the Zoho CRM sandbox: as much of COQL as simple look-ups need, over the records as they are.

`select a, b from Module where ((x = 'v') or (y in ('v', 'w'))) limit 200 offset 0`. Quotes inside a value are doubled
(Zoho's answers to frequent questions); values compare without case, which is synthetic.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connector.sandbox.zoho.model import MULTI_LINE, Json, Record, Refusal
from connector.sandbox.zoho.records import Records

TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|([(),=])|([A-Za-z_][\w.]*|\d+))")
MAX_VALUES, MAX_CRITERIA, MAX_LIMIT, MAX_COLUMNS = 50, 25, 2_000, 50
Test = Callable[[Record], bool]


class Query:
    """One parsed query. Raises `Refusal` for what is no query."""

    def __init__(self, text: str, records: Records) -> None:
        self._records = records
        self._tokens = _tokens(text)
        self._criteria = 0
        self._expect("select")
        self.columns = [self._name()]
        while self._take(","):
            self.columns.append(self._name())
        self._expect("from")
        self.module = self._name()
        if self.module not in records.modules:
            raise Refusal(400, "INVALID_QUERY", "invalid query formed", module=self.module)
        self._expect("where")
        self._where = self._either()
        self.limit = int(self._name()) if self._take("limit") else 200
        self.offset = int(self._name()) if self._take("offset") else 0
        if self._tokens or self.limit > MAX_LIMIT or self.limit < 1 or len(self.columns) > MAX_COLUMNS:
            raise _syntax(self._tokens[0][1] if self._tokens else "limit")
        for column in self.columns:
            self._known(column)

    def run(self) -> tuple[int, Json | None]:
        """Status and answer: 204 where nothing matches."""
        found = [r for r in self._records.modules[self.module].values() if self._where(r)]
        page = found[self.offset : self.offset + self.limit]
        if not page:
            return 204, None
        info = {"count": len(page), "more_records": len(found) > self.offset + self.limit}
        return 200, {"data": [r.document(self.columns) for r in page], "info": info}

    # ---- criteria ----

    def _either(self) -> Test:
        test = self._both()
        while self._take("or"):
            test = _either(test, self._both())
        return test

    def _both(self) -> Test:
        test = self._one()
        while self._take("and"):
            test = _both(test, self._one())
        return test

    def _one(self) -> Test:
        if self._take("("):
            test = self._either()
            self._expect(")")
            return test
        self._criteria += 1
        name = self._name()
        self._known(name)
        if name in MULTI_LINE or self._criteria > MAX_CRITERIA:
            raise Refusal(400, "INVALID_QUERY", "invalid query formed", column_name=name)
        if self._take("="):
            return _equals(name, [self._value()])
        self._expect("in")
        self._expect("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._expect(")")
        if len(values) > MAX_VALUES:
            raise Refusal(400, "LIMIT_EXCEEDED", "limit exceeded", limit=MAX_VALUES)
        return _equals(name, values)

    def _known(self, column: str) -> None:
        if not self._records.knows(self.module, column):
            raise Refusal(400, "INVALID_QUERY", "invalid query formed", column_name=column, clause="select")

    # ---- tokens ----

    def _take(self, word: str) -> bool:
        if self._tokens and self._tokens[0][0] == "word" and self._tokens[0][1].casefold() == word:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise _syntax(self._tokens[0][1] if self._tokens else "end")

    def _name(self) -> str:
        if not self._tokens or self._tokens[0][0] != "word":
            raise _syntax("name")
        return self._tokens.pop(0)[1]

    def _value(self) -> str:
        if not self._tokens or self._tokens[0][0] != "value":
            raise _syntax("value")
        return self._tokens.pop(0)[1]


def _either(left: Test, right: Test) -> Test:
    return lambda record: left(record) or right(record)


def _both(left: Test, right: Test) -> Test:
    return lambda record: left(record) and right(record)


def _equals(name: str, values: list[str]) -> Test:
    wanted = {value.casefold() for value in values}
    return lambda record: _text(record.value(name)) in wanted


def _text(value: Any) -> str:
    return str(value.get("id") if isinstance(value, dict) else value or "").casefold()


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        token = TOKEN.match(text, at)
        if token is None:
            raise _syntax(text[at : at + 10])
        value, mark, word = token.groups()
        found.append(("value", value.replace("''", "'")) if value is not None else ("word", mark or word))
        at = token.end()
    return found


def _syntax(near: str) -> Refusal:
    return Refusal(400, "SYNTAX_ERROR", "error occurred while parsing the query", near=near, line=1, column=1)
