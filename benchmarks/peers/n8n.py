"""n8n with the workflow of `n8n_workflow.py`, as a self-hosting user has it: SQLite, task runners, executions saved.

Only what would leave this machine is off (telemetry, version checks, templates, banners), and what is shown to a person.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from peers.n8n_workflow import ID, PATH, credentials, workflow
from peers.npm import Missing, Package
from peers.service import Peer, Ports, free_ports, running

#: The newest version that runs on Node.js 20.
VERSION = "2.8.4"
QUIET = (
    *("N8N_DIAGNOSTICS_ENABLED", "N8N_VERSION_NOTIFICATIONS_ENABLED", "N8N_TEMPLATES_ENABLED", "N8N_PERSONALIZATION_ENABLED"),
    *("N8N_HIRING_BANNER_ENABLED", "N8N_DYNAMIC_BANNERS_ENABLED", "N8N_VERIFIED_PACKAGES_ENABLED"),
)


class N8n:
    """A prepared n8n: credential and workflow imported, the workflow published; every run starts from a copy of that."""

    def __init__(self, folder: Path, package: Package, respond: str) -> None:
        """Prepare it in this folder, which takes three starts of n8n. Raises Missing where a command of it fails."""
        self._folder, self._package = folder, package
        self._broker, *ports = free_ports(4)
        self._ports = Ports(*ports)
        (folder / "credentials.json").write_text(json.dumps(credentials()))
        made = workflow(self._ports.booxi_url, self._ports.hubspot_url, respond)
        (folder / "workflow.json").write_text(json.dumps([made]))
        self._command("import:credentials", f"--input={folder / 'credentials.json'}")
        self._command("import:workflow", f"--input={folder / 'workflow.json'}")
        self._command("publish:workflow", f"--id={ID}")

    @asynccontextmanager
    async def __call__(self, folder: Path) -> AsyncIterator[Peer]:
        """Run it with its files in this folder."""
        shutil.copytree(self._folder, folder, dirs_exist_ok=True)
        async with running(self._words("start"), self._environment(folder), self._ports, f"/webhook/{PATH}", folder) as peer:
            yield peer

    def _words(self, *words: str) -> list[str]:
        return ["node", str(self._package.script("n8n")), *words]

    def _environment(self, folder: Path) -> dict[str, str]:
        own = {"N8N_USER_FOLDER": str(folder), "N8N_LISTEN_ADDRESS": "127.0.0.1", "N8N_PORT": str(self._ports.peer)}
        return os.environ | own | {"N8N_RUNNERS_BROKER_PORT": str(self._broker)} | dict.fromkeys(QUIET, "false")

    def _command(self, *words: str) -> None:
        done = subprocess.run(
            self._words(*words), env=self._environment(self._folder), capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode:
            raise Missing(f"n8n {words[0]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")
