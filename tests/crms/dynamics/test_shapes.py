"""What is not as Microsoft publishes it does not pass."""

import httpx
import pytest
from conforming import Nonconforming

from .shapes import conforming

pytestmark = pytest.mark.anyio
DATA = "/api/data/v9.2"
ODATA = {"OData-Version": "4.0", "OData-MaxVersion": "4.0"}
GUID = "00000000-0000-0000-0000-000000000001"
CONTACT, VISIT = f"{DATA}/contacts({GUID})", f"{DATA}/appointments({GUID})"
ANY, NEW = {"If-Match": "*"}, {"If-None-Match": "*"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("GET", f"{DATA}/accounts", {}, None),
        ("GET", f"{DATA}/contacts", {"OData-Version": "3.0"}, None),
        ("POST", f"{DATA}/contacts", {}, {"lastname": "Byron"}),
        ("PATCH", CONTACT, {}, {"lastname": "Byron"}),
        ("PATCH", CONTACT, ANY, {"lastname": ""}),
        ("PATCH", CONTACT, ANY, {"nickname2": "Ada"}),
        ("PATCH", f"{DATA}/contacts(key='{'a' * 64}')", NEW, {"firstname": "Ada"}),
        ("PATCH", VISIT, ANY, {"statecode": 1, "statuscode": 3, "subject": "Fitting"}),
        ("PATCH", VISIT, NEW, {"subject": "Fitting"}),
    ],
)
async def test_a_request(sandbox, method, path, headers, body):
    wire = conforming(httpx.ASGITransport(sandbox.app))
    async with httpx.AsyncClient(transport=wire, base_url="https://org.crm.dynamics.com", headers=ODATA) as client:
        with pytest.raises(Nonconforming):
            await client.request(method, path, json=body, headers=headers)
    assert wire.seen == []


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"UserId": "1"}),
        (201, {"UserId": GUID}),
        (403, {"code": "0x80040220", "message": "no"}),
        (429, {"error": {"code": "0x80072322", "message": "no"}}),
    ],
)
async def test_an_answer(status, answer):
    headers = {"Retry-After": "soon"} if status == 429 else {}
    wire = conforming(httpx.MockTransport(lambda _: httpx.Response(status, json=answer, headers=headers)))
    async with httpx.AsyncClient(transport=wire, base_url="https://org.crm.dynamics.com", headers=ODATA) as client:
        with pytest.raises(Nonconforming):
            await client.get(f"{DATA}/WhoAmI")
