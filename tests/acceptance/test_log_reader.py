"""Whoever reads the log may stand still: deliveries are answered all the same, and the service ends when it is asked to."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess

import httpx
import pytest

from connector.store import read_lock

from .world import CONNECTOR, RemoteSystems, eventually, post, rows

pytestmark = pytest.mark.anyio

#: More lines than the pipe and its page hold.
DELIVERIES = 300


def url_of(database) -> str:
    found = read_lock(database) or {}
    return found.get("url", "")


async def test_a_log_that_nobody_reads_stops_nothing(tmp_path):
    async with RemoteSystems() as sides:
        file = sides.config(tmp_path, level="debug")
        database = file.parent / "connector.db"
        reader, writer = os.pipe()
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
        command = [*CONNECTOR, "serve", "--config", str(file)]
        process = subprocess.Popen(command, stdout=writer, stderr=writer)
        os.close(writer)
        try:
            await eventually(lambda: bool(url_of(database)))
            url = url_of(database)
            async with httpx.AsyncClient(timeout=10) as client:
                for number in range(DELIVERIES):
                    body = {"id": f"e-{number}", "type": "appointment.created", "content": {"nothing": "here"}}
                    assert (await post(client, url, body)).status_code == 202
                assert (await client.get(f"{url}/healthz")).status_code == 200
            assert rows(database, "SELECT count(*) FROM deliveries") == [(DELIVERIES,)]
            process.send_signal(signal.SIGTERM)
            await eventually(lambda: process.poll() is not None)
            assert process.returncode == 0
            assert 0 < len(os.read(reader, 1_000_000)) <= 4096, "the pipe was full"
        finally:
            process.kill()
            process.wait()
            os.close(reader)
