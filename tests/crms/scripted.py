"""What the tests of CRM adapters share: a clock, and a remote system that answers what a test wrote down."""

import json
from typing import Any, ClassVar

import httpx


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """Answers what a test wrote down, the last answer again and again, and remembers what it was asked.

    `token_path` is where access tokens are fetched; those are issued without a script, with `token_answer` around them.
    """

    token_path = ""
    token_answer: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        self.answers: list[httpx.Response] = []
        self.asked: list[httpx.Request] = []
        self.tokens = 0

    def answer(self, status: int, data=None, headers=None) -> None:
        content = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
        self.answers.append(httpx.Response(status, content=content, headers=headers))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.token_path and request.url.path.endswith(self.token_path):
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"t{self.tokens}", **self.token_answer})
        self.asked.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
