"""What both contract suites share."""

import pytest


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads are tried again without a pause."""
    monkeypatch.setattr("connector.remote.http.PAUSES", (0.0, 0.0))


#: How a remote system may fail to answer. Whatever comes of it, it is not an answer.
FAILURES = {
    "down": {"down": True},
    "500": {"error_500": 1},
    "503": {"error_503": 1, "retry_after": 0.01},
    "cut": {"lost_answer": 1},
    "time-out": {"timeout": 1, "timeout_seconds": 0},
    "500 afterwards": {"error_after_effect": 1},
    "429": {"rate_limit": 1, "retry_after": 0.01},
    **{f"HTML {status}": {"html": 1, "html_status": status} for status in (200, 403, 404, 410, 500, 503)},
}
