"""`/metrics`: the status figures and the receiver's counters as Prometheus text. Names of accounts, no personal data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from connector.config import logs
from connector.model.measures import REGISTRY
from connector.web.receiver.stats import ReceiverStats

CONTENT_TYPE = CONTENT_TYPE_LATEST
#: Behind what every process on one database says alike, and behind what each has counted for itself.
SHARED = "The same from every process on one database: take the maximum (or the minimum), not the sum."
OWN = "Of this process: the sum over all is that of the service."


def render(status: Mapping[str, Any], stats: ReceiverStats) -> bytes:
    """Write what `/status.json` says, and what receiver and process have counted, in the Prometheus text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot([*_queue(status), *_accounts(status), *_receiver(stats)]))
    return generate_latest(registry) + generate_latest(REGISTRY)


class _Snapshot:
    """Hands out figures that were read a moment ago, so that a scrape asks the database once."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Answer the metrics."""
        return self._metrics


def _queue(status: Mapping[str, Any]) -> Iterable[Metric]:
    info = GaugeMetricFamily("connector_build_info", "Always 1; the version is a label.", labels=["version"])
    info.add_metric([str(status["version"])], 1)
    yield info
    events = GaugeMetricFamily("connector_events", f"Events by state. {SHARED}", labels=["state"])
    for state, number in status["queue"].items():
        events.add_metric([state], number)
    yield events
    oldest = f"Age of the oldest event that waits for its turn; 0 when none waits. {SHARED}"
    yield GaugeMetricFamily("connector_oldest_waiting_seconds", oldest, value=status["oldest_waiting_seconds"] or 0)
    yield GaugeMetricFamily("connector_links", f"Clients linked to a customer. {SHARED}", value=status["links"])
    sizes = status["database"]
    yield GaugeMetricFamily("connector_database_bytes", f"Size of the database. {SHARED}", value=sizes["bytes"])
    # What a file has and a database on a server has not.
    if "wal_bytes" in sizes:
        wal = "Size of the -wal beside it; it grows while a program reads the database for long."
        yield GaugeMetricFamily("connector_database_wal_bytes", wal, value=sizes["wal_bytes"])
    if "last_backup_at" in sizes:
        backup = "Unix time of the last `connector backup`; 0 when there was none."
        yield GaugeMetricFamily("connector_last_backup_timestamp_seconds", backup, value=sizes["last_backup_at"] or 0)
    if "free_bytes" in sizes:
        free = "Space left on the database's disk."
        yield GaugeMetricFamily("connector_disk_free_bytes", free, value=sizes["free_bytes"])
    lost = f"Log lines dropped since the start because nobody read them. {OWN}"
    yield CounterMetricFamily("connector_log_lines_dropped", lost, value=logs.dropped())
    checks = GaugeMetricFamily("connector_check_ok", "1 when the check is well, 0 otherwise.", labels=["check"])
    bad = {check["id"] for check in status["checks"] if check["level"] != "ok"}
    for name in sorted({check["id"] for check in status["checks"]}):
        checks.add_metric([name], float(name not in bad))
    yield checks


def _accounts(status: Mapping[str, Any]) -> Iterable[Metric]:
    labels = ["account", "system"]
    up = GaugeMetricFamily("connector_account_up", f"1 when the account can be used, else 0. {SHARED}", labels=labels)
    used = GaugeMetricFamily("connector_quota_used", f"Calls counted in the current quota window. {SHARED}", labels=labels)
    limit = GaugeMetricFamily("connector_quota_limit", f"Calls allowed in the quota window. {SHARED}", labels=labels)
    until = GaugeMetricFamily(
        "connector_account_limited_until_timestamp_seconds", f"When the account's limit of calls ends. {SHARED}", labels=labels
    )
    refused = GaugeMetricFamily(
        "connector_action_refused",
        f"1 while one kind of action is refused and its events wait. {SHARED}",
        labels=[*labels, "action"],
    )
    for kind, accounts in (("booking", status["sources"]), ("crm", status["crms"])):
        for name, account in accounts.items():
            values = [f"{kind}.{name}", str(account["system"])]
            up.add_metric(values, float(account["state"] == "ok"))
            for action in account.get("refused_actions", ()):
                refused.add_metric([*values, action], 1.0)
            if end := account.get("limited_until"):
                until.add_metric(values, datetime.fromisoformat(end).timestamp())
            if quota := account.get("quota"):
                used.add_metric(values, quota["used"])
                limit.add_metric(values, quota["limit"])
    return up, used, limit, until, refused


def _receiver(stats: ReceiverStats) -> Iterable[Metric]:
    deliveries = CounterMetricFamily(
        "connector_deliveries", f"Deliveries answered 202 since the start. {OWN}", labels=["source", "status"]
    )
    for (source, status), number in sorted(stats.accepted.items()):
        deliveries.add_metric([source, status], number)
    refusals = CounterMetricFamily(
        "connector_refusals", f"Requests refused since the start. {OWN}", labels=["source", "reason"]
    )
    for (source, reason), number in sorted(stats.refusals.items()):
        refusals.add_metric([source, reason], number)
    last = GaugeMetricFamily(
        "connector_last_delivery_timestamp_seconds", "Unix time of the last delivery to this process.", labels=["source"]
    )
    for source, at in sorted(stats.last_delivery_at.items()):
        last.add_metric([source], at)
    missed = f"POST and PUT requests since the start that match no webhook address. {OWN}"
    unmatched = CounterMetricFamily("connector_unmatched_requests", missed, value=stats.unmatched.count)
    return deliveries, refusals, last, unmatched
