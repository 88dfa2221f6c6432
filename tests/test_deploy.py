"""What deploy/ holds is loaded, linted and compared with the code, as far as this machine has the tools."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from web.fakes import quiet_page

from connector import registry
from connector.config import settings
from connector.store.key import load_key
from connector.web.receiver.stats import ReceiverStats
from connector.web.status.metrics import SHARED, render

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "systemd" / "connector.service").read_text(encoding="utf-8")
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
READ = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1], encoding='utf-8')))))"
#: Seconds until the service has ended at the latest: the drain, and what requests in progress get.
NEEDED = settings.WorkerSettings().drain_seconds + 5


@cache
def parsed(name: str) -> list[Any]:
    """The documents of a YAML file, read by whichever Python here knows YAML."""
    for python in (sys.executable, "/usr/bin/python3", shutil.which("python3")):
        if python and Path(python).exists():
            done = subprocess.run([python, "-c", READ, str(DEPLOY / name)], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                found: list[Any] = json.loads(done.stdout)
                return found
            assert "No module named" in done.stderr, done.stderr[-500:]
    pytest.skip("no Python on this machine reads YAML")


# ---- systemd ----


@pytest.fixture
def unit(tmp_path) -> Path:
    """The unit as it would be checked on a machine where everything is installed."""
    file = tmp_path / "connector.service"
    text = re.sub(r"(?m)^ExecStart=.*$", "ExecStart=/bin/true", UNIT)
    file.write_text(
        re.sub(r"(?m)^(User|Group|WorkingDirectory|ReadWritePaths)=.*\n", "", text).replace(
            "[Service]", "[Service]\nUser=daemon"
        )
    )
    return file


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@needs_systemd
def test_systemd_understands_every_line_of_the_unit(unit):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "connector.service" in line] == []


@needs_systemd
def test_the_unit_is_hardened(unit):
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr or "Operation not" in done.stderr:
        pytest.skip("this systemd cannot judge a unit that is not installed")
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


def test_the_unit_waits_for_the_drain():
    assert "Type=notify" in UNIT
    assert float(re.search(r"(?m)^TimeoutStopSec=(\d+)$", UNIT)[1]) > NEEDED
    assert "RestartPreventExitStatus=2" in UNIT


# ---- compose ----


def test_compose_mounts_the_folder_and_publishes_the_proxy_only():
    (compose,) = parsed("compose/compose.yaml")
    service, caddy = compose["services"]["connector"], compose["services"]["caddy"]
    assert service["volumes"] == ["./data:/data"]
    assert "ports" not in service
    assert caddy["ports"] == ["80:80", "443:443"]
    assert float(service["stop_grace_period"].removesuffix("s")) > NEEDED
    assert service["read_only"] is True
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert {volume.partition(":")[0] for volume in caddy["volumes"]} == {"./Caddyfile", *compose["volumes"]}
    # It waits for the health check of the image.
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert caddy["depends_on"]["connector"]["condition"] == "service_healthy"


def seconds(text: str) -> float:
    assert re.fullmatch(r"\d+s", text)
    return float(text[:-1])


CADDYFILES = ("compose/Caddyfile", "compose/several/Caddyfile")


@pytest.mark.parametrize("name", CADDYFILES)
def test_the_proxy_passes_on_what_must_be_reachable_and_nothing_else(name):
    text = (DEPLOY / name).read_text(encoding="utf-8")
    assert text.count("{") == text.count("}")
    paths = " ".join(re.findall(r"(?m)^\t@\w+ path (.*)$", text)).split()
    assert {"/webhooks/*", "/status", "/login", "/logout"} <= set(paths)
    assert not [path for path in paths if path.startswith(("/-", "/metrics", "/*"))]
    assert "respond 404" in text


@pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not installed")
@pytest.mark.parametrize("name", CADDYFILES)
def test_caddy_accepts_its_file(name, tmp_path):
    command = [str(shutil.which("caddy")), "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / name)]
    environ = {"CONNECTOR_HOST": "hooks.example.com", "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr


def several() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """(the compose file of several processes, its services that are ours by their name)."""
    (compose,) = parsed("compose/several/compose.yaml")
    return compose, {name: one for name, one in compose["services"].items() if one["image"].startswith("connector")}


def test_several_processes_share_configuration_and_key_and_have_a_folder_each():
    compose, ours = several()
    roles = {name: one["command"][one["command"].index("--role") + 1] for name, one in ours.items()}
    assert roles == {"receiver-1": "receiver", "receiver-2": "receiver", "worker-1": "worker", "worker-2": "worker"}
    for name, one in ours.items():
        assert one["volumes"] == [f"{name}:/data", "./connector.toml:/data/connector.toml:ro"]
        assert one["command"][-1] == "/data/connector.toml"
        assert {"source": "connector.key", "target": "/data/connector.key"} in one["secrets"]
        assert one["depends_on"]["postgres"]["condition"] == "service_healthy"
        assert seconds(one["stop_grace_period"]) > NEEDED
        assert one["read_only"] is True
        assert (one["cap_drop"], one["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
        assert "ports" not in one
    assert {one["restart"] for one in compose["services"].values()} == {"unless-stopped"}
    named = [volume.partition(":")[0] for one in compose["services"].values() for volume in one["volumes"]]
    assert sorted(name for name in named if not name.startswith(".")) == sorted(compose["volumes"])


def test_postgres_is_reached_by_the_processes_only_and_its_password_is_a_secret():
    compose, ours = several()
    postgres, caddy = compose["services"]["postgres"], compose["services"]["caddy"]
    assert postgres["networks"] == ["database"]
    assert compose["networks"]["database"] == {"internal": True}
    assert all("database" in one["networks"] for one in ours.values())
    assert caddy["networks"] == ["outside"]
    assert "ports" not in postgres
    assert not [name for name in postgres["environment"] if "PASSWORD" in name and not name.endswith("_FILE")]
    assert postgres["environment"]["POSTGRES_PASSWORD_FILE"] == "/run/secrets/database-password"
    # The socket answers while a new database is still being prepared.
    assert "--host=127.0.0.1" in postgres["healthcheck"]["test"]
    used = [one if isinstance(one, str) else one["source"] for service in ours.values() for one in service["secrets"]]
    assert set(used) == set(compose["secrets"])


def test_the_proxy_of_several_asks_who_is_well_and_keeps_people_at_one_process():
    _, ours = several()
    text = (DEPLOY / "compose" / "several" / "Caddyfile").read_text(encoding="utf-8")
    proxies = re.findall(r"reverse_proxy (.*) \{\n((?:.*\n)*?)\t\t\}", text)
    deliveries, people = ((set(hosts.split()), body) for hosts, body in proxies)
    assert deliveries[0] == {f"{name}:8080" for name in ours if name.startswith("receiver")}
    assert people[0] == {f"{name}:8080" for name in ours if name.startswith("worker")}
    assert "health_uri /readyz" in deliveries[1]
    # With it, older versions of Caddy take the healthy one out too when one has died.
    assert not re.search(r"(?m)^\t*fail_duration", text)
    assert "lb_policy first" in people[1], "sessions are kept by the process that they were opened at"
    (compose,) = parsed("compose/several/compose.yaml")
    waits = compose["services"]["caddy"]["depends_on"]
    assert waits == {name: {"condition": "service_healthy"} for name in ours if name.startswith("receiver")}


def test_the_configuration_of_several_loads_and_takes_the_key_as_it_is_made(tmp_path):
    text = (DEPLOY / "compose" / "several" / "connector.example.toml").read_text(encoding="utf-8")
    (tmp_path / "password").write_text("s3cret\n", encoding="ascii")
    (tmp_path / "password").chmod(0o400)
    file = tmp_path / "connector.toml"
    file.write_text(text.replace("/run/secrets/database-password", str(tmp_path / "password")), encoding="utf-8")
    variables = dict.fromkeys(re.findall(r'env = "(\w+)"', text), "0123456789abcdef")
    config = settings.load(file, systems=registry.Registry(), environ=variables)
    assert config.warnings == ()
    compose, _ = several()
    environment = compose["services"]["postgres"]["environment"]
    assert config.database.address == (
        f"postgresql://{environment['POSTGRES_USER']}@postgres/{environment['POSTGRES_DB']}?password=s3cret"
    )
    # As `openssl rand -hex 32` writes it.
    (tmp_path / "connector.key").write_text(f"{'5e' * 32}\n", encoding="ascii")
    assert load_key(config.database.path, None).secret == b"\x5e" * 32


@cache
def compose_program() -> tuple[str, ...] | None:
    """The command of a Compose that is here: the plugin of Docker, or the older program."""
    for command in (("docker", "compose"), ("docker-compose",)):
        if shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
            return command
    return None


@pytest.mark.skipif(compose_program() is None, reason="Compose is not installed (on Debian: apt-get install docker-compose)")
@pytest.mark.parametrize("name", ["compose", "compose/several"])
def test_compose_accepts_its_file_and_ignores_nothing_of_it(name, tmp_path):
    """After the steps in the head of the file; no Docker needs to run."""
    folder = tmp_path / "connector"
    shutil.copytree(DEPLOY / name, folder)
    (folder / ".env").write_text("CONNECTOR_HOST=hooks.example.com\n", encoding="ascii")
    command = [*(compose_program() or ()), "config"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (written,) = parsed(f"{name}/compose.yaml")
    for service in written["services"]:
        assert f"\n  {service}:\n" in done.stdout
    # What is mounted from the folder is found there, or made by a step in the head.
    head = (folder / "compose.yaml").read_text(encoding="utf-8").partition("\nservices:")[0]
    for mounted in re.findall(rf"{re.escape(str(folder))}/([\w./-]+)", done.stdout):
        assert (folder / mounted).exists() or mounted in head, mounted


# ---- Kubernetes ----


def of_kind(kind: str, file: str = "connector.yaml", name: str = "connector") -> Any:
    (found,) = [
        document
        for document in parsed(f"kubernetes/{file}")
        if document["kind"] == kind and document["metadata"]["name"] == name
    ]
    return found


PROBES = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def check_pod(deployment: Any) -> Any:
    """What every pod of ours has; answers its container."""
    pod = deployment["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > NEEDED
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert {name: container[name]["httpGet"]["path"] for name in PROBES} == PROBES
    assert deployment["selector"]["matchLabels"] == deployment["template"]["metadata"]["labels"]
    return container


def test_the_manifest_never_runs_two_on_one_sqlite_file():
    deployment = of_kind("Deployment")["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}
    check_pod(deployment)
    assert of_kind("Service")["spec"]["selector"] == deployment["selector"]["matchLabels"]


@pytest.mark.parametrize("role", ["receiver", "worker"])
def test_the_manifest_of_several_has_two_of_each_with_the_key_beside_the_configuration(role):
    name = f"connector-{role}"
    deployment = of_kind("Deployment", "several.yaml", name)["spec"]
    assert deployment["replicas"] == 2
    container = check_pod(deployment)
    assert container["args"] == ["serve", "--role", role, "--config", "/data/connector.toml"]
    places = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in deployment["template"]["spec"]["volumes"]}
    assert "emptyDir" in volumes[places["/data"]], "each has a connector.lock of its own"
    # Read by the pod's group, and by nobody else.
    assert volumes[places["/data/connector.key"]]["secret"] == {"secretName": "connector-key", "defaultMode": 0o440}
    assert deployment["template"]["spec"]["securityContext"]["fsGroup"] == 10001
    labels = deployment["selector"]["matchLabels"]
    assert labels["app.kubernetes.io/component"] == role
    assert of_kind("Service", "several.yaml", name)["spec"]["selector"] == labels


def test_the_manifest_of_several_says_how_each_secret_is_made():
    text = (DEPLOY / "kubernetes" / "several.yaml").read_text(encoding="utf-8")
    used = set(re.findall(r"secretRef: \{ name: ([\w-]+) \}", text)) | set(re.findall(r"secretName: ([\w-]+)", text))
    assert used == set(re.findall(r"kubectl create secret generic ([\w-]+)", text))


@pytest.mark.parametrize("manifest", ["connector.yaml", "several.yaml"])
def test_the_configuration_in_the_manifest_loads(tmp_path, manifest):
    file = tmp_path / "connector.toml"
    file.write_text(of_kind("ConfigMap", manifest)["data"]["connector.toml"])
    variables = dict.fromkeys(re.findall(r'env = "(\w+)"', file.read_text()), "0123456789abcdef")
    config = settings.load(file, systems=registry.Registry(), environ=variables)
    assert config.warnings == ()
    if config.database.on_server:
        return
    mounts = of_kind("Deployment")["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert str(config.database.path.parent) in {mount["mountPath"] for mount in mounts if not mount.get("readOnly")}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize(
    ("manifest", "objects"),
    [
        (
            "connector.yaml",
            ["configmap/connector", "persistentvolumeclaim/connector", "deployment.apps/connector", "service/connector"],
        ),
        (
            "several.yaml",
            [
                "configmap/connector",
                *("deployment.apps/connector-receiver", "service/connector-receiver"),
                "poddisruptionbudget.policy/connector-receiver",
                *("deployment.apps/connector-worker", "service/connector-worker"),
            ],
        ),
    ],
)
def test_kubectl_reads_the_manifest(manifest, objects):
    file = str(DEPLOY / "kubernetes" / manifest)
    command = ["kubectl", "label", "--local", "--dry-run=client", "-f", file, "a=b", "-o", "name"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == objects


# ---- Prometheus and Grafana ----


def metric_families() -> list[Metric]:
    """Everything that a service can show."""
    stats = ReceiverStats()
    stats.accept("stores", "queued", 1.0)
    stats.refuse("stores", "store")
    page = quiet_page()
    page["crms"]["main"] |= {"refused_actions": {"record the appointment": {}}, "limited_until": "2026-03-01T12:00:00.000Z"}
    page["checks"] = [check.as_dict() for check in page["checks"]]
    return list(text_string_to_metric_families(render(page, stats).decode()))


def metric_names() -> set[str]:
    """Every series that a service can show."""
    families = metric_families()
    names = {sample.name for family in families for sample in family.samples}
    histograms = {family.name for family in families if family.type == "histogram"}
    totals = {f"{family.name}_total" for family in families if family.type == "counter"}
    return names | totals | {f"{name}{end}" for name in histograms for end in ("_bucket", "_count", "_sum")}


def used(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:connector|process)_\w+", expression))


def test_rules_speak_of_series_that_there_are():
    (document,) = parsed("prometheus/rules.yaml")
    (group,) = document["groups"]
    names = metric_names()
    for rule in group["rules"]:
        assert used(rule["expr"]) <= names, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "action"}
        assert rule["expr"].count("(") == rule["expr"].count(")")
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"])


def test_the_dashboard_speaks_of_series_that_there_are_and_its_panels_do_not_overlap():
    names, taken = metric_names(), set()
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert used(target["expr"]), panel["title"]
            assert used(target["expr"]) <= names, panel["title"]
            assert target["expr"].count("(") == target["expr"].count(")")
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def around(expression: str, name: str) -> list[list[str]]:
    """The functions around each place of a series in an expression, the outermost first."""
    bare = re.sub(r"\bby \([^)]*\)", "", expression)
    found: list[list[str]] = []
    inside: list[str] = []
    for part in re.finditer(r"(\w*)\s*\(|\)|\w+", bare):
        if part[0] == ")":
            inside.pop()
        elif part[0].endswith("("):
            inside.append(part[1])
        elif part[0] == name:
            found.append(list(inside))
    return found


def test_the_functions_around_a_series_are_found():
    assert around("time() - max by (source) (a_b) + sum(rate(a_b[5m]))", "a_b") == [["max"], ["sum", "rate"]]
    assert around("a_b > 0", "a_b") == [[]]


def test_what_every_process_says_alike_is_not_summed_nor_shown_once_for_each():
    """Only what a process has for itself is."""
    shared = {family.name for family in metric_families() if SHARED in family.documentation}
    assert {"connector_events", "connector_account_up", "connector_quota_used", "connector_links"} <= shared
    expressions = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    expressions += [rule["expr"] for rule in parsed("prometheus/rules.yaml")[0]["groups"][0]["rules"]]
    places = [(expression, inside) for expression in expressions for name in shared for inside in around(expression, name)]
    assert len(places) >= 9
    assert [expression for expression, inside in places if not inside or inside[0] not in ("max", "min")] == []


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_rules():
    subprocess.run(["promtool", "check", "rules", str(DEPLOY / "prometheus" / "rules.yaml")], check=True)
