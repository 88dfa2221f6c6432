"""Signals from the first moment on, both address families, odd locales, the limit of open files: as real processes."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
from pathlib import Path

import anyio
import httpx
import pytest

from .world import CONNECTOR, RemoteSystems, Service, eventually

pytestmark = pytest.mark.anyio

IPV6 = socket.has_ipv6 and Path("/proc/net/if_inet6").exists()


def catches(pid: int, one: int) -> bool:
    """Whether a process has a handler for this signal."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    return bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> (one - 1) & 1)


def child_of(pid: int) -> int:
    """The first child of a process; 0 while it has none."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found[0]) if found else 0


@pytest.mark.parametrize(("command", "code"), [("serve", 0), ("events", 143)])
@pytest.mark.skipif(not Path("/proc/self/ns/pid").exists(), reason="needs the process namespaces of Linux")
async def test_process_1_ends_at_once_when_it_is_asked_to_during_the_start(tmp_path, command, code):
    # A configuration that is a pipe: whoever reads it waits, so that the process stays in its first moments.
    config = tmp_path / "connector.toml"
    os.mkfifo(config)
    words = [command] if command == "serve" else [command, "list"]
    try:
        process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", *CONNECTOR, *words, "--config", str(config)], stderr=subprocess.PIPE
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    try:
        await eventually(lambda: process.poll() is not None or child_of(process.pid) > 0)
        if process.poll() is not None:
            pytest.skip("no process namespace may be made here")
        first = child_of(process.pid)
        await eventually(lambda: catches(first, signal.SIGTERM))
        libraries = Path(f"/proc/{first}/maps").read_text()
        assert "pydantic_core" not in libraries, "the handler is there before the long imports"
        os.kill(first, signal.SIGTERM)
        await eventually(lambda: process.poll() is not None)
        assert process.returncode == code
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.communicate()


async def test_a_closed_terminal_drains_like_sigterm_also_twice(tmp_path):
    async with RemoteSystems() as sides:
        service = Service(sides.config(tmp_path))
        async with service.running():
            service.process.send_signal(signal.SIGHUP)
            service.process.send_signal(signal.SIGHUP)
            assert await service.exit() == 0
            assert [line["event"] for line in service.lines][-1] == "stopped"


async def test_under_nohup_a_closed_terminal_is_nothing(tmp_path):
    async with RemoteSystems() as sides:
        service = Service(sides.config(tmp_path), before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        async with service.running():
            assert not catches(service.process.pid, signal.SIGHUP)
            service.process.send_signal(signal.SIGHUP)
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"{service.url}/healthz")).status_code == 200
            assert await service.stop() == 0


@pytest.mark.skipif(not IPV6, reason="this machine has no IPv6")
async def test_two_colons_serve_both_families(tmp_path):
    async with RemoteSystems() as sides:
        file = sides.config(tmp_path)
        file.write_text(file.read_text().replace("[server]", '[server]\nhost = "::"'))
        service = Service(file)
        await service.spawn()
        try:
            await service.says("listening")
            port = next(line["url"] for line in service.lines if line["event"] == "listening").rpartition(":")[2]
            async with httpx.AsyncClient() as client:
                for host in ("127.0.0.1", "[::1]"):
                    assert (await client.get(f"http://{host}:{port}/healthz")).status_code == 200
            assert await service.stop() == 0
        finally:
            await service.kill()


async def test_the_limit_of_open_files_is_raised(tmp_path):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    low = 256
    async with RemoteSystems() as sides:
        service = Service(sides.config(tmp_path), before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard)))
        async with service.running():
            limits = Path(f"/proc/{service.process.pid}/limits").read_text()
            soft = next(line.split()[3] for line in limits.splitlines() if line.startswith("Max open files"))
            assert int(soft) == min(65_536, hard) if hard != resource.RLIM_INFINITY else 65_536
            assert await service.stop() == 0


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        # What ASCII has room for, the others have.
        ("ascii", ("demo", "--once")),
        ("ascii", ("--help",)),
        ("ascii", ("events", "list")),
        ("latin-1", ("events", "list")),
        ("cp1252", ("events", "list")),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
async def test_no_encoding_ends_a_command_with_a_traceback(tmp_path, monkeypatch, encoding, words):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    async with RemoteSystems() as sides:
        file = sides.config(tmp_path)
        more = ("--config", str(file)) if words[0] == "events" else ()
        done = await anyio.run_process([*CONNECTOR, *words, *more], check=False)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


async def test_systemd_hears_when_it_listens_and_when_it_stops(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        address = str(tmp_path / "notify")
        channel.bind(address)
        channel.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        async with RemoteSystems() as sides:
            service = Service(sides.config(tmp_path))
            async with service.running():
                assert await anyio.to_thread.run_sync(channel.recv, 100) == b"READY=1"
                assert await service.stop() == 0
                assert channel.recv(100) == b"STOPPING=1"
