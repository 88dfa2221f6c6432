"""Who the candidates of a review are, read from the CRM: personal data, shown only on request."""

from __future__ import annotations

from typing import Any

from connector.cli.common import operate, read


def reveal_candidates(config: Any, item: dict[str, Any]) -> dict[str, Any]:
    """The item as listed, each candidate with the `customer` as the CRM has it now; personal data."""
    from connector.store.reviews import views

    found = revealed(config, read(config, views.review, item["id"], absent=None))
    candidates = [{**one, "customer": found.get(one["customer_id"])} for one in item["candidates"]]
    return {**item, "candidates": candidates}


def revealed(config: Any, item: dict[str, Any] | None) -> dict[str, Any]:
    """{customer id: the record as the CRM has it now} of the candidates of an item; empty where there is no item."""
    if item is None:
        return {}
    ids = [candidate["customer_id"] for candidate in item["candidates"]]
    return operate(config, lambda to: to.reveal(item["crm"], ids))
