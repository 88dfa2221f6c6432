"""The same job by other programs: what they are configured with, where they are found, and how they are compared."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from compare_peers import OURS, rows, services
from measuring import children, family_resident, resident
from peers import n8n_workflow, node_red_flow, npm
from peers.npm import Missing, find
from peers.service import Measured, Peer, Ports, free_ports, mistaken, refuses_strangers
from world import fill

from connector.sandbox.booxi.app import BooxiSandbox
from connector.sandbox.hubspot.app import HubSpotSandbox

pytestmark = pytest.mark.anyio


def package(folder: Path, name: str, version: str) -> Path:
    """An npm package with one command, as npm lays it out."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "run.js").write_text("#!/usr/bin/env node\n")
    (folder / "bin" / "run.js").chmod(0o755)
    (folder / "package.json").write_text(json.dumps({"name": name, "version": version, "bin": {name: "./bin/run.js"}}))
    return folder


@pytest.fixture
def on_path(tmp_path, monkeypatch) -> Path:
    """A PATH that holds a `node` and nothing else yet."""
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / "node").write_text("#!/bin/sh\n")
    (folder / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


# ---- where a peer is found ----


def test_what_was_installed_before_is_taken_before_what_is_on_path(tmp_path, on_path):
    other = package(tmp_path / "lib" / "node_modules" / "n8n", "n8n", "1.0.0")
    (on_path / "n8n").symlink_to(other / "bin" / "run.js")
    cache = tmp_path / "cache"
    assert find("n8n", "9.9.9", cache).version == "1.0.0"
    kept = package(cache / "n8n" / "node_modules" / "n8n", "n8n", "2.0.0")
    found = find("n8n", "9.9.9", cache)
    assert (found.version, found.script("n8n")) == ("2.0.0", kept / "bin" / "run.js")


def test_what_cannot_be_installed_is_left_out_with_the_reason(tmp_path, on_path, capsys):
    with ExitStack() as stack:
        found = services([OURS, "n8n"], {"n8n": "9.9.9"}, tmp_path, stack)
    assert list(found) == [OURS]
    assert "n8n is left out: npm is not here" in capsys.readouterr().out
    (on_path / "npm").write_text("#!/bin/sh\necho 'npm warn something' >&2\necho 'npm error no such version' >&2\nexit 1\n")
    (on_path / "npm").chmod(0o755)
    with pytest.raises(Missing, match=r"cannot install n8n@9\.9\.9: no such version$"):
        find("n8n", "9.9.9", tmp_path)


def test_a_package_json_that_is_there_is_kept(tmp_path, on_path, monkeypatch):
    """It may hold npm's `overrides`, where a dependency comes from a place that cannot be reached."""

    def install(*_: object, cwd: Path, **__: object) -> subprocess.CompletedProcess[str]:
        package(cwd / "node_modules" / "n8n", "n8n", "2.8.4")
        return subprocess.CompletedProcess([], 0, "", "")

    (on_path / "npm").symlink_to(on_path / "node")
    monkeypatch.setattr(npm.subprocess, "run", install)
    (tmp_path / "n8n").mkdir()
    (tmp_path / "n8n" / "package.json").write_text('{"overrides": {}}')
    assert find("n8n", "2.8.4", tmp_path).version == "2.8.4"
    assert (tmp_path / "n8n" / "package.json").read_text() == '{"overrides": {}}'


def test_without_node_nothing_is_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match=r"Node\.js is not here"):
        find("n8n", "2.8.4", tmp_path)


# ---- what they do ----


@pytest.mark.parametrize("respond", [n8n_workflow.AT_ONCE, n8n_workflow.WHEN_FINISHED])
def test_the_workflow_makes_the_same_four_calls_as_the_flow(respond):
    ports = Ports(1, 2, 3)
    made = n8n_workflow.workflow(ports.booxi_url, ports.hubspot_url, respond)
    requests = [node for node in made["nodes"] if node["type"].endswith("httpRequest")]
    assert [(node["name"], node["parameters"]["method"]) for node in requests] == [
        ("read link", "GET"),
        ("find", "GET"),
        ("create", "POST"),
        ("write back", "PUT"),
    ]
    flow = node_red_flow.flow(ports.booxi_url, ports.hubspot_url)
    assert [node["name"] for node in flow if node["type"] == "http request"] == [node["name"] for node in requests]
    assert [node["parameters"]["responseMode"] for node in made["nodes"] if node["type"].endswith("webhook")] == [respond]


def test_every_wire_of_the_workflow_ends_at_a_node():
    made = n8n_workflow.workflow("http://booxi.test", "http://hubspot.test", n8n_workflow.AT_ONCE)
    names = {node["name"] for node in made["nodes"]}
    assert set(made["connections"]) == names - {"write back"}
    outputs = [wire for node in made["connections"].values() for output in node["main"] for wire in output]
    assert {wire["node"] for wire in outputs} == names - {"webhook"}


# ---- how they are compared ----


def test_ratios_are_of_one_round_and_tell_how_much_faster_connector_is():
    found = {OURS: [Measured(100, 4, 80), Measured(200, 4, 80)], "n8n": [Measured(10, 50, 400), Measured(40, 50, 400)]}
    assert [row[:3] for row in rows(found)] == [
        [OURS, "150 (100–200)", "1.00 (1.00–1.00)"],
        ["n8n", "25.0 (10.0–40.0)", "7.50 (5.00–10.00)"],
    ]
    assert rows({"n8n": found["n8n"]})[0][2] == "–"


def test_children_count_whichever_thread_started_them():
    code = (
        "import subprocess, sys, threading; started = []\n"
        "def start(): started.append(subprocess.Popen([sys.executable, '-c', 'open(0).read()'], stdin=sys.stdin))\n"
        "thread = threading.Thread(target=lambda: (start(), print('ready', flush=True), sys.stdin.read())); thread.start()\n"
        "thread.join(); started[0].wait()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        (child,) = children(process.pid)
        assert family_resident(process.pid) >= resident(process.pid) + resident(child) / 2
        process.stdin.close()


def test_a_link_to_somebody_elses_contact_is_seen():
    booxi, hubspot = BooxiSandbox(quota=None), HubSpotSandbox()
    fill(booxi, 3)
    first, second, third = booxi.state.clients
    contacts = [hubspot.add_contact(email=f"c{n}@example.com") for n in range(2)]
    booxi.set_link(first, contacts[0])
    booxi.set_link(second, contacts[0])
    assert mistaken(Peer(booxi, hubspot, 0)) == [second, third]


async def answering(status: int) -> tuple[asyncio.Server, str]:
    """A server that answers every request so."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_a_peer_works_when_it_refuses_a_delivery_without_a_token():
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE)
    try:
        for status, error in ((403, None), (200, "its last answer: 200"), (404, "its last answer: 404")):
            server, url = await answering(status)
            async with server:
                if error is None:
                    await refuses_strangers(url, process, seconds=5)
                else:
                    with pytest.raises(SystemExit, match=error):
                        await refuses_strangers(url, process, seconds=0.3)
    finally:
        process.stdin.close()
        await process.wait()
    with pytest.raises(SystemExit, match="process: 0"):
        await refuses_strangers(f"http://127.0.0.1:{free_ports(1)[0]}/", process)
