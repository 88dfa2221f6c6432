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
from prometheus_client.parser import text_string_to_metric_families
from web.fakes import quiet_page

from connector import registry
from connector.config import settings
from connector.web.receiver.stats import ReceiverStats
from connector.web.status.metrics import render

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


def test_the_proxy_passes_on_what_must_be_reachable_and_nothing_else():
    text = (DEPLOY / "compose" / "Caddyfile").read_text(encoding="utf-8")
    assert text.count("{") == text.count("}")
    paths = re.search(r"(?m)^\t@reachable path (.*)$", text)[1].split()
    assert {"/webhooks/*", "/status", "/login", "/logout"} <= set(paths)
    assert not [path for path in paths if path.startswith(("/-", "/metrics", "/*"))]
    assert "respond 404" in text


# ---- Kubernetes ----


def of_kind(kind: str) -> Any:
    (found,) = [document for document in parsed("kubernetes/connector.yaml") if document["kind"] == kind]
    return found


def test_the_manifest_never_runs_two_on_one_sqlite_file():
    deployment = of_kind("Deployment")["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}
    pod = deployment["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > NEEDED
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    probes = [container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert probes == ["/healthz", "/healthz", "/readyz"]
    assert deployment["selector"]["matchLabels"] == deployment["template"]["metadata"]["labels"]
    assert of_kind("Service")["spec"]["selector"] == deployment["selector"]["matchLabels"]


def test_the_configuration_in_the_manifest_loads(tmp_path):
    file = tmp_path / "connector.toml"
    file.write_text(of_kind("ConfigMap")["data"]["connector.toml"])
    variables = dict.fromkeys(re.findall(r'env = "(\w+)"', file.read_text()), "0123456789abcdef")
    config = settings.load(file, systems=registry.Registry(), environ=variables)
    assert config.warnings == ()
    mounts = of_kind("Deployment")["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert str(config.database.path.parent) in {mount["mountPath"] for mount in mounts if not mount.get("readOnly")}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_reads_the_manifest():
    command = [
        "kubectl",
        "label",
        "--local",
        "--dry-run=client",
        "-f",
        str(DEPLOY / "kubernetes" / "connector.yaml"),
        "a=b",
        "-o",
        "name",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "configmap/connector",
        "persistentvolumeclaim/connector",
        "deployment.apps/connector",
        "service/connector",
    ]


# ---- Prometheus and Grafana ----


def metric_names() -> set[str]:
    """Every series that a service can show."""
    stats = ReceiverStats()
    stats.accept("stores", "queued", 1.0)
    stats.refuse("stores", "store")
    page = quiet_page()
    page["crms"]["main"] |= {"refused_actions": {"record the appointment": {}}, "limited_until": "2026-03-01T12:00:00.000Z"}
    families = list(text_string_to_metric_families(render(page, stats).decode()))
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


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_rules():
    subprocess.run(["promtool", "check", "rules", str(DEPLOY / "prometheus" / "rules.yaml")], check=True)
