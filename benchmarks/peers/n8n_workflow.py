"""The workflow as n8n reads it: a webhook, four HTTP requests and what decides between them, all of stock nodes.

The same four calls as the flow in Node-RED, and as little besides: no retry, no order, no de-duplication and no quota.

Written by a program, so that the addresses of the sandboxes stand in it and every node says in one line what it does.
"""

from __future__ import annotations

from typing import Any

from connector.crms.hubspot.api import CONTACTS
from peers.service import TOKEN

ID = "BooxiToHubSpot01"
PATH = "stores"
CREDENTIAL = {"id": "BooxiDelivery001", "name": "Booxi's token"}
#: When the webhook answers: at once, or when the last node has run.
AT_ONCE, WHEN_FINISHED = "onReceived", "lastNode"

_CLIENT = "$('webhook').first().json.body.content.booking.client"
_BOOXI = {"Booxi-PartnerKey": "sandbox-partner-key"}
_HUBSPOT = {"Authorization": "Bearer sandbox-token"}


def credentials() -> list[dict[str, Any]]:
    """What the webhook compares deliveries with."""
    return [{**CREDENTIAL, "type": "httpHeaderAuth", "data": {"name": "Authorization", "value": TOKEN}}]


def workflow(booxi: str, hubspot: str, respond: str) -> dict[str, Any]:
    """The nodes and what follows each; `booxi` and `hubspot` are the sandboxes' base addresses, `respond` when it answers."""
    link = f"{booxi}/client/{{{{ {_CLIENT}.id }}}}/moduleLink/hubspot"
    contact = f"{hubspot}/{CONTACTS}/{{{{ encodeURIComponent({_CLIENT}.email) }}}}"
    nodes = [
        _webhook(respond),
        _request("read link", "GET", link, _BOOXI),
        _if("is linked", "{{ $json.statusCode === 200 && !!$json.body.link }}"),
        _request("find", "GET", f"{contact}?idProperty=email&properties=email,firstname,lastname", _HUBSPOT),
        _if("is found", "{{ $json.statusCode === 200 }}"),
        _request("create", "POST", f"{hubspot}/{CONTACTS}", _HUBSPOT, _new_contact()),
        _request("write back", "PUT", link, _BOOXI, "{{ JSON.stringify({ externalId: $json.body.id }) }}"),
    ]
    wires = {
        "webhook": [["read link"]],
        "read link": [["is linked"]],
        "is linked": [[], ["find"]],
        "find": [["is found"]],
        "is found": [["write back"], ["create"]],
        "create": [["write back"]],
    }
    connections = {
        name: {"main": [[{"node": node, "type": "main", "index": 0} for node in nodes] for nodes in outputs]}
        for name, outputs in wires.items()
    }
    return {"id": ID, "name": "Booxi to HubSpot", "active": False, "nodes": nodes, "connections": connections, "settings": {}}


def _new_contact() -> str:
    fields = ", ".join(f"{ours}: {_CLIENT}.{theirs}" for ours, theirs in _FIELDS.items())
    return f"{{{{ JSON.stringify({{ properties: {{ {fields} }} }}) }}}}"


_FIELDS = {"email": "email", "firstname": "firstName", "lastname": "lastName"}


def _node(name: str, kind: str, version: float, parameters: dict[str, Any], **fields: Any) -> dict[str, Any]:
    named = {"id": name, "name": name, "type": f"n8n-nodes-base.{kind}", "typeVersion": version, "position": [0, 0]}
    return {**named, "parameters": parameters, **fields}


def _webhook(respond: str) -> dict[str, Any]:
    # Without `webhookId` the path would hold the workflow's id and the node's name.
    parameters = {"httpMethod": "POST", "path": PATH, "authentication": "headerAuth", "responseMode": respond, "options": {}}
    return _node("webhook", "webhook", 2.1, parameters, webhookId=PATH, credentials={"httpHeaderAuth": CREDENTIAL})


def _request(name: str, method: str, url: str, headers: dict[str, str], body: str | None = None) -> dict[str, Any]:
    # A 404 is an answer here, not a failure of the workflow.
    whole = {"response": {"response": {"fullResponse": True, "neverError": True, "responseFormat": "json"}}}
    sent = {"parameters": [{"name": key, "value": value} for key, value in headers.items()]}
    parameters = {"method": method, "url": f"={url}", "sendHeaders": True, "headerParameters": sent, "options": whole}
    if body is not None:
        parameters |= {"sendBody": True, "specifyBody": "json", "jsonBody": f"={body}"}
    return _node(name, "httpRequest", 4.2, parameters)


def _if(name: str, condition: str) -> dict[str, Any]:
    """The first output where the expression is true, the second where it is not."""
    operator = {"type": "boolean", "operation": "true", "singleValue": True}
    tests = [{"id": name, "leftValue": f"={condition}", "rightValue": "", "operator": operator}]
    options = {"caseSensitive": True, "leftValue": "", "typeValidation": "strict", "version": 2}
    return _node(name, "if", 2.2, {"conditions": {"options": options, "conditions": tests, "combinator": "and"}, "options": {}})
