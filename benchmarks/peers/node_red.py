"""Node-RED with the flow of `node_red_flow.py`: no editor, no login, no log."""

from __future__ import annotations

import json
import os
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from peers.node_red_flow import flow
from peers.npm import Package
from peers.service import Peer, Ports, free_ports, running

#: The version that was tried.
VERSION = "4.1.15"
PATH = "/webhooks/stores"


def node_red(folder: Path, package: Package) -> AbstractAsyncContextManager[Peer]:
    """Node-RED with its files in this folder."""
    ports = Ports(*free_ports(3))
    (folder / "flows.json").write_text(json.dumps(flow(ports.booxi_url, ports.hubspot_url)))
    settings = {"flowFile": "flows.json", "uiHost": "127.0.0.1", "uiPort": ports.peer, "httpAdminRoot": False}
    logging = {"console": {"level": "off", "metrics": False, "audit": False}}
    (folder / "settings.js").write_text(f"module.exports = {json.dumps({**settings, 'logging': logging})}")
    command = ["node", str(package.script("node-red")), "--userDir", str(folder)]
    return running(command, dict(os.environ), ports, PATH, folder)
