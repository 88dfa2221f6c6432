"""A real nginx for the tests, on a Unix socket in a temporary folder, and a network with latency behind it.

Where nginx is not installed the tests that need it are skipped; with CONNECTOR_TEST_NGINX=required, as in CI, they fail.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

CONFIG = """
{user}
daemon off;
pid nginx.pid;
error_log error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  {before}
  server {{
    listen unix:{folder}/socket;
    {locations}
  }}
}}
"""


def _program() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def needed() -> None:
    """Skip the test that asks, or fail it where nginx must be there."""
    if _program() is None:
        reason = "nginx is not installed (on Debian and Ubuntu: apt-get install nginx-light)"
        if os.environ.get("CONNECTOR_TEST_NGINX") == "required":
            pytest.fail(reason)
        pytest.skip(reason)


@asynccontextmanager
async def proxying(locations: str, before: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Within the block nginx runs with these locations; the client speaks to it, each request on a connection of its own."""
    # The name of a socket may only have about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="connector-nginx-") as name:
        folder = Path(name)
        user = "user root;" if os.getuid() == 0 else ""
        text = CONFIG.format(user=user, folder=folder, before=before, locations=locations)
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        program = _program()
        assert program is not None
        command = (program, "-p", name, "-c", "nginx.conf", "-e", "error.log")
        checked = subprocess.run([*command, "-t"], check=False, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
        process = await asyncio.create_subprocess_exec(*command)
        transport = httpx.AsyncHTTPTransport(uds=f"{name}/socket", limits=httpx.Limits(max_keepalive_connections=0))
        try:
            await _listening(folder / "socket")
            async with httpx.AsyncClient(transport=transport, base_url="http://connector.example.com") as client:
                yield client
        finally:
            process.terminate()
            await process.wait()


async def _listening(socket: Path) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_unix_connection(socket)
                writer.close()
                return
            await asyncio.sleep(0.01)


class Network:
    """A way to a server on which everything takes `latency` seconds, the end of a connection too."""

    def __init__(self, server: str, latency: float) -> None:
        url = urlsplit(server)
        self._server = (url.hostname, url.port)
        self._latency = latency
        #: Connections that were made through it.
        self.connections = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        """Within the block it listens on the port that is given."""
        listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            listener.close()
            for task in self._tasks:
                task.cancel()
            for writer in self._writers:
                writer.transport.abort()
            await asyncio.gather(*self._tasks, *(one.wait_closed() for one in self._writers), return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, back = await asyncio.open_connection(*self._server)
        self._writers += (writer, back)
        self._tasks += (asyncio.create_task(self._carry(reader, back)), asyncio.create_task(self._carry(there, writer)))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                loop.call_later(self._latency, writer.write, data)
        loop.call_later(self._latency, writer.close)


def pools(ports: Iterable[int], keeps: str) -> tuple[str, str]:
    """Locations `/0/`, `/1/`, … and the upstreams behind them, each of which keeps one connection idle for `keeps`."""
    numbered = list(enumerate(ports))
    before = "".join(
        f"upstream pool{number} {{ server 127.0.0.1:{port}; keepalive 1; keepalive_timeout {keeps}; }}\n"
        for number, port in numbered
    )
    locations = "".join(
        f'location /{number}/ {{ proxy_pass http://pool{number}/; proxy_http_version 1.1; proxy_set_header Connection ""; }}\n'
        for number, _ in numbered
    )
    return locations, before
