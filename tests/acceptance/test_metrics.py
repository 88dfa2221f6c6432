"""`/metrics` of a real service: what the process measured while it worked."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from .world import RemoteSystems, Service

pytestmark = pytest.mark.anyio


async def test_calls_outcomes_and_times_are_measured(tmp_path):
    async with RemoteSystems() as sides:
        service = Service(sides.config(tmp_path))
        async with service.running():
            await service.first_done(sides)
            headers = {"Authorization": "Bearer a-status-token-for-tests"}
            async with httpx.AsyncClient(headers=headers) as client:
                text = (await client.get(f"{service.url}/metrics")).text
            assert await service.stop() == 0
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["connector_store_seconds_count", "stores"] == 1
    assert 0 < samples["connector_store_seconds_sum", "stores"] < 10
    assert samples["connector_event_seconds_count", "done", "stores"] == 1
    assert samples["connector_calls_total", "201", "crm.main"] == 1
    answered = sum(value for (name, *labels), value in samples.items() if name == "connector_calls_total")
    timed = sum(value for (name, *labels), value in samples.items() if name == "connector_call_seconds_count")
    assert answered == timed > 3
    assert samples[("connector_disk_free_bytes",)] > 0
    assert samples[("process_open_fds",)] > 5
