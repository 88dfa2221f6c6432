"""What a check is about is a value; its text is the public id."""

from __future__ import annotations

import pytest

from connector.model.problems import ACCOUNT, WORKER, Check, Topic


@pytest.mark.parametrize(
    ("topic", "id_"),
    [
        (WORKER, "worker"),
        (Topic("database", "wal"), "database.wal"),
        (Topic("booking.stores", ACCOUNT), "booking.stores.account"),
        (Topic("booking.stores", "webhooks", "bookings.created"), "booking.stores.webhooks.bookings.created"),
        (Topic("crm.main", "refused", "record the appointment"), "crm.main.refused.record_the_appointment"),
    ],
)
def test_the_public_id_is_written_from_the_topic(topic, id_):
    check = Check(topic=topic, level="error", message="refused", hint="Fix it.")
    assert check.id == id_
    assert check.as_dict() == {"id": id_, "level": "error", "message": "refused", "hint": "Fix it."}


def test_what_another_process_reads_is_about_the_same():
    check = Check(topic=Topic("crm.main", "refused", "record the appointment"), level="warning", message="refused")
    assert Check.model_validate(check.model_dump(mode="json")) == check
