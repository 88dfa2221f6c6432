"""`python -m tests.image`: build the image, run it read-only as its own user without a network, and print one table.

Needs Docker or Podman, and the base image, which is pulled where the engine does not have it; says what is missing, and ends
well, where that cannot be. `--base` names another base image than the Dockerfile does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
USER = 10001
CONFIG = """\
[server]
host = "0.0.0.0"
[status]
token = { env = "STATUS_TOKEN" }
[booking.stores]
system = "booxi"
region = "na"
partner_key = { env = "BOOXI_PARTNER_KEY" }
module_id = "hubspot"
[booking.stores.webhook]
verify = "token"
tokens = [{ env = "BOOXI_TOKEN" }]
[crm.main]
system = "hubspot"
token = { env = "HUBSPOT_TOKEN" }
[[sync]]
booking = "stores"
crm = "main"
"""
SECRETS = ("STATUS_TOKEN", "BOOXI_PARTNER_KEY", "BOOXI_TOKEN", "HUBSPOT_TOKEN")
#: What the process is, and whether it can write beside its volume.
PROBE = """
import os, pathlib
lines = dict(line.split(':', 1) for line in pathlib.Path('/proc/self/status').read_text().splitlines())
def writes(name):
    try:
        pathlib.Path(name, 'probe').write_text('x')
    except OSError as error:
        return error.strerror
    return 'written'
print(os.getuid(), int(lines['CapEff'], 16), writes('/opt/connector'), writes('/'), writes('/tmp'), sep='|')
"""
#: Seconds until the service answers at the latest, and what `--stop-timeout` in the documentation gives it to end.
PATIENCE, STOP = 60, 30


class Failed(Exception):
    """Something is not as it should be; the text holds the end of what a command said."""


class Missing(Exception):
    """This machine has no engine or no base image; the text is the reason."""


@dataclass
class Engine:
    """Docker or Podman, by the words that call it, with what this machine needs besides."""

    words: list[str]
    build: list[str] = field(default_factory=list)
    run: list[str] = field(default_factory=list)

    def __call__(self, *words: str, timeout: float = 120) -> str:
        """Run one command of it and answer what it printed. Raises Failed."""
        try:
            done = subprocess.run([*self.words, *words], capture_output=True, text=True, check=False, timeout=timeout, cwd=ROOT)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failed(f"{self.words[0]} {words[0]}: {error}") from None
        if done.returncode:
            raise Failed(
                f"{self.words[0]} {words[0]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}"
            )
        return done.stdout.strip()


def choose(words: list[str] | None, candidates: tuple[str, ...] = ("docker", "podman")) -> Engine:
    """The engine that is named, or the first that works. Raises Missing with the reason of each that does not."""
    reasons = []
    for each in [words] if words else [[name] for name in candidates]:
        engine = Engine(each)
        try:
            engine("version")
        except Failed as error:
            reasons.append(str(error).splitlines()[0])
        else:
            return engine
    raise Missing("; ".join(reasons))


def have(engine: Engine, base: str) -> None:
    """Pull the base image where the engine does not have it. Raises Missing."""
    try:
        engine("image", "inspect", base)
    except Failed:
        try:
            engine("pull", base, timeout=600)
        except Failed as error:
            raise Missing(f"the base image {base} is not here and cannot be pulled: {error}") from None


def named_base() -> str:
    """The base image that the Dockerfile names."""
    found = re.search(r"(?m)^ARG BASE=(\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def build(engine: Engine, base: str, tag: str) -> str:
    """Build on the base by its digest, as `make image` does, and answer what the image is. Raises Failed."""
    listed = engine("image", "inspect", "--format", "{{json .RepoDigests}}", base)
    digest = next((each.rpartition("@")[2] for each in json.loads(listed) or ()), "")
    exact = f"{base}@{digest}" if digest else base
    name = "org.opencontainers.image.base"
    labels = ["--label", f"{name}.name={base}", "--label", f"{name}.digest={digest}"]
    engine("build", *engine.build, "--build-arg", f"BASE={exact}", *labels, "--tag", tag, ".", timeout=1800)
    image = json.loads(engine("image", "inspect", tag))[0]
    size, below = image["Size"] / 1e6, json.loads(engine("image", "inspect", base))[0]["Size"] / 1e6
    if image["Config"]["Labels"].get(f"{name}.digest") != digest or image["Config"]["User"] != f"{USER}:{USER}":
        raise Failed("the image has another base or another user than it was built with")
    return f"{size:,.0f} MB, of which the base {below:,.0f}"


def health_command(engine: Engine, tag: str) -> list[str]:
    """The words of HEALTHCHECK; Podman keeps it beside the configuration, Docker in it. Raises Failed without one."""
    image = json.loads(engine("image", "inspect", tag))[0]
    found = image["Config"].get("Healthcheck") or image.get("Healthcheck")
    if not found:  # Podman leaves it out of its own format
        raise Failed("the image has no health check (Podman needs --build '--format docker')")
    return list(found["Test"][1:])


def start(engine: Engine, tag: str, name: str, data: Path) -> None:
    """Run the image with its own entry point, hardened as `deploy/compose` hardens it; it has no network but its loopback."""
    hardened = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
    secrets = [word for secret in SECRETS for word in ("-e", f"{secret}=of-a-check-{secret.lower().replace('_', '-')}")]
    engine("run", "-d", "--name", name, "--network", "none", *hardened, *secrets, *engine.run, "-v", f"{data}:/data", tag)


def wait_until_healthy(engine: Engine, name: str, words: list[str]) -> str:
    """Run the health check until it succeeds; answers after how many seconds. Raises Failed."""
    begun = time.monotonic()
    while True:
        try:
            engine("exec", name, *words)
        except Failed:
            if time.monotonic() - begun > PATIENCE:
                logs = subprocess.run([*engine.words, "logs", name], capture_output=True, text=True, check=False)
                raise Failed(f"never healthy; the service said: {(logs.stderr + logs.stdout)[-500:]}") from None
            time.sleep(0.2)
        else:
            return f"succeeds after {time.monotonic() - begun:.1f} s"


def refuses_unhealthy(engine: Engine, name: str, words: list[str]) -> str:
    """The health check where nobody listens. Raises Failed where it succeeds."""
    try:
        engine("exec", "-e", "CONNECTOR_HEALTH_URL=http://127.0.0.1:9/healthz", name, *words)
    except Failed:
        return "fails"
    raise Failed("the health check succeeds where nobody listens")


def process(engine: Engine, name: str) -> str:
    """User, capabilities and what can be written. Raises Failed where that is more than it should be."""
    found = engine("exec", name, "python", "-c", PROBE)
    if found != f"{USER}|0|Read-only file system|Read-only file system|written":
        raise Failed(f"the process is another than expected: {found}")
    return f"user {USER}, no capabilities, writes to /tmp and /data only"


def delivery(engine: Engine, name: str) -> str:
    """Send a sample delivery to the running service. Raises Failed where it is not stored."""
    engine("exec", name, "connector", "test", "stores")
    if (found := stored(engine, name)) != 1:
        raise Failed(f"{found} events in the database after one delivery")
    return "accepted and stored"


def stored(engine: Engine, name: str) -> int:
    """How many events the database holds, by the service's own command."""
    found = json.loads(engine("exec", name, "connector", "events", "list", "--json"))
    return len(found["events"] if isinstance(found, dict) else found)


def backup(engine: Engine, name: str, data: Path) -> str:
    """Copy the database into the volume while the service runs. Raises Failed."""
    engine("exec", name, "connector", "backup", "/data/backup.db")
    return f"{(data / 'backup.db').stat().st_size / 1000:,.0f} kB"


def stop(engine: Engine, name: str) -> str:
    """SIGTERM, as STOPSIGNAL says. Raises Failed where the service does not end by itself, with exit code 0."""
    begun = time.monotonic()
    engine("stop", "-t", str(STOP), name)
    seconds, code = time.monotonic() - begun, engine("inspect", "--format", "{{.State.ExitCode}}", name)
    if code != "0" or seconds >= STOP:
        raise Failed(f"ended with {code} after {seconds:.1f} s")
    return f"exit code 0 after {seconds:.1f} s"


def again(engine: Engine, name: str, words: list[str]) -> str:
    """Start the stopped container once more. Raises Failed where it has lost events."""
    engine("start", name)
    wait_until_healthy(engine, name, words)
    if (found := stored(engine, name)) != 1:
        raise Failed(f"{found} events after the restart, 1 before")
    return "the event is there"


def play(engine: Engine, base: str, tag: str, data: Path) -> None:
    """Everything in turn, a line each. Raises Failed at the first that is not as it should be."""
    name = f"{tag.rpartition('/')[2].partition(':')[0]}-{data.parent.name.lower().replace('_', '')}"
    row("every instruction of the Dockerfile", build(engine, base, tag))
    words = health_command(engine, tag)
    start(engine, tag, name, data)
    try:
        row("health check of the image", wait_until_healthy(engine, name, words))
        row("health check where nobody listens", refuses_unhealthy(engine, name, words))
        row("process", process(engine, name))
        row("`connector test`", delivery(engine, name))
        row("`connector backup` beside the service", backup(engine, name, data))
        row("stopped by SIGTERM", stop(engine, name))
        row("started again on the same volume", again(engine, name, words))
    finally:
        subprocess.run([*engine.words, "rm", "--force", name], capture_output=True, check=False)


def row(what: str, result: str) -> None:
    print(f"| {what} | {result} |", flush=True)


def main() -> int:
    """Print the table; 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.image", description=__doc__)
    parser.add_argument("--engine", type=shlex.split, help="the words that call it, such as 'sudo docker'")
    parser.add_argument("--base", default=named_base(), help="the base image (default: %(default)s)")
    parser.add_argument("--tag", default="connector:check", help="the image's name (default: %(default)s)")
    parser.add_argument("--build", type=shlex.split, default=[], help="further options of the engine's build")
    parser.add_argument("--run", type=shlex.split, default=[], help="further options of the engine's run")
    args = parser.parse_args()
    try:
        engine = choose(args.engine)
        have(engine, args.base)
    except Missing as reason:
        print(f"The image is left out: {reason}")
        return 0
    engine.build, engine.run = args.build, args.run
    print(f"Base image: {args.base}\n\n| what | result |\n|---|---|")
    with tempfile.TemporaryDirectory(prefix="image") as folder:
        data = volume(Path(folder) / "data")
        try:
            play(engine, args.base, args.tag, data)
        except Failed as error:
            row("failed", str(error).replace("\n", " "))
            return 1
    return 0


def volume(data: Path) -> Path:
    """A folder for the container, with the configuration in it, that the image's user may write."""
    data.mkdir()
    (data / "connector.toml").write_text(CONFIG, encoding="utf-8")
    if os.getuid() == 0:
        os.chown(data, USER, USER)
    else:  # nobody else can give it away
        data.chmod(0o777)
    return data


if __name__ == "__main__":
    sys.exit(main())
