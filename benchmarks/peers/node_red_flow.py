"""The flow as Node-RED reads it: a webhook, four HTTP requests and what decides between them, all of stock nodes.

It answers 202 before it works, and has no queue on the disk, no retry, no order, no de-duplication and no quota: what it
shows is the price of connector's promises, not an equal.

Written by a program, so that the addresses of the sandboxes stand in it and every node says in one line what it does.
"""

from __future__ import annotations

from typing import Any

from connector.crms.hubspot.api import CONTACTS

FLOW = "flow"

_CHECK = """
if (msg.req.headers.authorization !== 'benchmark') { msg.statusCode = 401; msg.payload = {}; return [msg, null]; }
const answer = { res: msg.res, statusCode: 202, payload: { status: 'queued', event: msg.payload.id } };
const client = msg.payload.content.booking.client;
const url = '%(booxi)s/client/' + client.id + '/moduleLink/hubspot';
return [answer, { client, method: 'GET', url, headers: %(booxi_headers)s }];
"""
_LINKED = """
if (msg.statusCode === 200 && msg.payload && msg.payload.link) { return null; }
msg.method = 'GET'; msg.headers = %(hubspot_headers)s; delete msg.payload;
msg.url = '%(contacts)s/' + encodeURIComponent(msg.client.email) + '?idProperty=email&properties=email,firstname,lastname';
return msg;
"""
_FOUND = """
if (msg.statusCode === 200) { msg.customer = msg.payload.id; return [null, msg]; }
const c = msg.client;
msg.method = 'POST'; msg.url = '%(contacts)s';
msg.headers = Object.assign({ 'content-type': 'application/json' }, %(hubspot_headers)s);
msg.payload = { properties: { email: c.email, firstname: c.firstName, lastname: c.lastName } };
return [msg, null];
"""
_CREATED = "msg.customer = msg.payload.id; return msg;"
_WRITE = """
msg.method = 'PUT'; msg.url = '%(booxi)s/client/' + msg.client.id + '/moduleLink/hubspot';
msg.headers = Object.assign({ 'content-type': 'application/json' }, %(booxi_headers)s);
msg.payload = { externalId: msg.customer };
return msg;
"""


def flow(booxi: str, hubspot: str) -> list[dict[str, Any]]:
    """The nodes, wired; `booxi` and `hubspot` are base addresses of the sandboxes."""
    names = {
        "booxi": booxi,
        "contacts": f"{hubspot}/{CONTACTS}",
        "booxi_headers": "{ 'Booxi-PartnerKey': 'sandbox-partner-key' }",
        "hubspot_headers": "{ authorization: 'Bearer sandbox-token' }",
    }
    return [
        {"id": FLOW, "type": "tab", "label": "Booxi to HubSpot"},
        _node("in", "http in", [["check"]], url="/webhooks/stores", method="post"),
        _function("check", _CHECK % names, [["answer"], ["read link"]]),
        _node("answer", "http response", []),
        _request("read link", "linked"),
        _function("linked", _LINKED % names, [["find"]]),
        _request("find", "found"),
        _function("found", _FOUND % names, [["create"], ["write"]]),
        _request("create", "created"),
        _function("created", _CREATED, [["write"]]),
        _function("write", _WRITE % names, [["write back"]]),
        _request("write back"),
    ]


def _node(name: str, kind: str, wires: list[list[str]], **fields: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "type": kind, "z": FLOW, "wires": wires, "x": 0, "y": 0, **fields}


def _function(name: str, code: str, wires: list[list[str]]) -> dict[str, Any]:
    return _node(name, "function", wires, func=code, outputs=len(wires), libs=[])


def _request(name: str, *then: str) -> dict[str, Any]:
    # `use`: the method and address stand in the message; `obj`: the answer is parsed as JSON.
    return _node(name, "http request", [list(then)], method="use", ret="obj", url="", persist=True, headers=[])
