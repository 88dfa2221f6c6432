"""What is not as Salesforce publishes it does not pass."""

import httpx
import pytest
from conforming import Nonconforming

from .shapes import conforming

pytestmark = pytest.mark.anyio
DATA = "/services/data/v67.0"
CONTACT, EVENT = f"{DATA}/sobjects/Contact/003000000000001AAA", f"{DATA}/sobjects/Event"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{DATA}/search", None),
        ("GET", "/services/data/v60.0/query?q=SELECT Id FROM Contact", None),
        ("GET", f"{DATA}/query?q=FIND {{Ada}}", None),
        ("POST", f"{DATA}/sobjects/Contact", {"LastName": "Byron"}),
        ("PATCH", CONTACT, {"LastName": ""}),
        ("PATCH", CONTACT, {"Nickname": "Ada"}),
        ("PATCH", CONTACT, {"OwnerId": "003000000000001AAA"}),
        ("POST", EVENT, {"StartDateTime": "2027-03-01 12:00"}),
        ("POST", EVENT, {"ShowAs": "Away"}),
    ],
)
async def test_a_request(sandbox, method, path, body):
    wire = conforming(httpx.ASGITransport(sandbox.app))
    async with httpx.AsyncClient(transport=wire, base_url="https://example.my.salesforce.com") as client:
        with pytest.raises(Nonconforming):
            await client.request(method, path, json=body)
    assert wire.seen == []


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"totalSize": 1, "done": True, "records": [{"Id": "1"}]}),
        (200, {"totalSize": "1", "done": True, "records": []}),
        (201, {"totalSize": 0, "done": True, "records": []}),
        (400, {"errorCode": "MALFORMED_QUERY", "message": "no"}),
        (400, [{"errorCode": "malformed", "message": "no"}]),
    ],
)
async def test_an_answer(status, answer):
    wire = conforming(httpx.MockTransport(lambda _: httpx.Response(status, json=answer)))
    async with httpx.AsyncClient(transport=wire, base_url="https://example.my.salesforce.com") as client:
        with pytest.raises(Nonconforming):
            await client.get(f"{DATA}/query?q=SELECT Id FROM Contact")
