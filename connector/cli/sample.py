"""`connector test`: a sample delivery through the running service's own HTTP address, and what became of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from connector.cli.common import config_option, ends_well, json_option, load_config, operate, read, run, say, whoami
from connector.model.errors import ConnectorError

if TYPE_CHECKING:
    from connector.config.settings import Config

#: The type that no booking system has, so that nothing is done for it.
TYPE = "connector.test"
#: Newest events among which the sample is looked for.
NEWEST = 50
_ADVICE = {
    401: "The service was started with other secrets than this file has now: restart it.",
    404: "The service was started before this source was in the file, or a proxy changes the path.",
    503: "The service cannot store deliveries; `connector check` says why.",
}


@click.command("test")
@click.argument("source", metavar="SOURCE")
@click.option("--public", is_flag=True, help="Send to server.public_url, as the sender does.")
@config_option
@json_option
@ends_well
def send_sample(source: str, public: bool, config_path: Path, as_json: bool) -> None:
    """Send a sample delivery to the running service, and show the result. It changes nothing in any other system.

    The sample carries the first token of the file, or a signature with the first secret, as the sender's deliveries do. It
    is ignored, or held and then discarded. Exit code 0 when the service accepted it.
    """
    from connector.cli import output as terminal

    config = load_config(config_path)
    if source not in config.booking:
        raise click.UsageError(f"There is no source {source!r}; known here: {', '.join(sorted(config.booking))}.")
    base = _base(config, public)
    message_id = f"connector-test-{time.time_ns()}"
    status, answer = _deliver(config, source, base, message_id)
    found = _outcome(config, source, answer.get("event", message_id)) if status == 202 else None
    said = {
        "address": f"{base}/webhooks/{source}",
        "answer": status,
        "status": answer.get("status"),
        "event": found["id"] if found else None,
        "state": found["state"] if found else None,
    }
    if as_json:
        terminal.show_json(said)
    else:
        _say(said, answer)
    if status != 202:
        sys.exit(1)


def _base(config: Config, public: bool) -> str:
    """Where the sample is sent. Raises ConnectorError where nothing listens."""
    from connector.store import read_lock

    held = read_lock(config.database.path)
    if held is None or "url" not in held:
        raise ConnectorError("No service is running with this database.", hint="Start `connector serve` first.")
    if not public:
        return str(held["url"])
    if not config.server.public_url:
        raise ConnectorError("No public_url is configured.", hint="Set [server] public_url, or leave out --public.")
    return config.server.public_url.rstrip("/")


def _deliver(config: Config, source: str, base: str, message_id: str) -> tuple[int, Mapping[str, Any]]:
    """Send the sample; answers the HTTP status and what the answer says."""
    from connector.cli.admin_client import post
    from connector.remote.signing import proof

    settings, now = config.booking[source], time.time()
    body = json.dumps({"id": message_id, "type": TYPE}).encode()
    query = settings.sample_query()
    path = f"/webhooks/{source}" + (f"?{urlencode(query)}" if query else "")
    registered = f"{config.server.public_url.rstrip('/')}{path}" if config.server.public_url else None
    headers = settings.own_proof(registered, body, message_id, now)
    if settings.webhook is not None:
        headers |= proof(settings.webhook, body, message_id, now, where=f"booking.{source}.webhook")
    return run(post(base + path, {"content-type": "application/json", **headers}, body))


def _outcome(config: Config, source: str, delivery: str) -> Mapping[str, Any] | None:
    """The event of the sample as it is now; one that is held is discarded, so that nobody is asked about it."""
    from connector.store import views

    newest = read(config, views.events, absent=[], source=source, limit=NEWEST)
    found: Mapping[str, Any] | None = next((event for event in newest if event["event"] == delivery), None)
    if found is not None and found["state"] == "held":
        operate(config, lambda to: to.discard([int(found["id"])], by=whoami()))
    return found


def _say(said: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    if said["answer"] != 202:
        say(f"{said['address']} answered {said['answer']}: {answer.get('message', 'no reason was given')}", err=True)
        if advice := _ADVICE.get(said["answer"]):
            click.echo(advice, err=True)
        return
    click.echo(f"{said['address']} answered 202: the service accepts deliveries, and the token or signature is right.")
    if said["event"] is not None:
        after = " and discarded again" if said["state"] == "held" else ""
        click.echo(f"The sample is event {said['event']}: {said['state']}{after}, because it contains no booking.")
