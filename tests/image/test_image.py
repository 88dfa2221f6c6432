"""The check of the image calls bad what is bad; the image itself is built by `make image-check` only."""

from __future__ import annotations

import json

import pytest

from .__main__ import Engine, Failed, Missing, build, choose, delivery, have, health_command, named_base, process, stop


class Answers(Engine):
    """An engine that answers by the first of its rules whose words are in the command; other commands fail."""

    def __init__(self, **rules: str) -> None:
        super().__init__(["engine"])
        self.rules, self.calls = rules, []

    def __call__(self, *words: str, timeout: float = 120) -> str:
        self.calls.append(words)
        for rule, answer in self.rules.items():
            if set(rule.split("_")) <= set(words):
                return answer
        raise Failed(f"unexpected: {words}")


def image(**config: object) -> str:
    labels = {"org.opencontainers.image.base.digest": "sha256:abc"}
    return json.dumps([{"Size": 2e6, "Config": {"User": "10001:10001", "Labels": labels, **config}}])


def test_each_engine_that_does_not_work_is_named_with_its_reason():
    with pytest.raises(Missing, match=r"no-such-engine-1 version.*; no-such-engine-2 version"):
        choose(None, ("no-such-engine-1", "no-such-engine-2"))
    assert choose(["true"]).words == ["true"]


def test_a_base_image_that_cannot_be_pulled_is_a_reason_to_leave_it_out():
    have(Answers(inspect="[]"), "base")
    pulled = Answers(pull="")
    have(pulled, "base")
    assert ("pull", "base") in pulled.calls
    with pytest.raises(Missing, match="base image base is not here"):
        have(Answers(), "base")


def test_the_image_is_built_on_the_base_by_its_digest():
    engine = Answers(**{"{{json .RepoDigests}}": '["python@sha256:abc"]', "inspect": image(), "build": ""})
    assert build(engine, named_base(), "connector:check") == "2 MB, of which the base 2"
    (command,) = [call for call in engine.calls if call[0] == "build"]
    assert f"BASE={named_base()}@sha256:abc" in command


@pytest.mark.parametrize("config", [{"User": "root"}, {"Labels": {}}])
def test_another_user_or_base_is_a_fault(config):
    engine = Answers(**{"{{json .RepoDigests}}": '["python@sha256:abc"]', "inspect": image(**config), "build": ""})
    with pytest.raises(Failed, match="another base or another user"):
        build(engine, "python:3", "connector:check")


def test_the_health_check_is_read_where_each_engine_keeps_it():
    test = {"Test": ["CMD", "python", "-c", "1"]}
    assert health_command(Answers(inspect=image(Healthcheck=test)), "tag") == ["python", "-c", "1"]
    podman = json.dumps([{"Config": {}, "Healthcheck": test}])
    assert health_command(Answers(inspect=podman), "tag") == ["python", "-c", "1"]
    with pytest.raises(Failed, match="has no health check"):
        health_command(Answers(inspect=json.dumps([{"Config": {}}])), "tag")


@pytest.mark.parametrize(
    "found",
    [
        "0|0|Read-only file system|Read-only file system|written",
        "10001|4|Read-only file system|Read-only file system|written",
        "10001|0|written|Read-only file system|written",
    ],
)
def test_a_process_that_may_more_than_it_should_is_a_fault(found):
    with pytest.raises(Failed, match="another than expected"):
        process(Answers(exec=found), "name")


def test_a_service_that_had_to_be_killed_is_a_fault():
    assert stop(Answers(stop="", inspect="0"), "name").startswith("exit code 0")
    with pytest.raises(Failed, match="ended with 137"):
        stop(Answers(stop="", inspect="137"), "name")


def test_a_delivery_that_is_not_stored_is_a_fault():
    assert delivery(Answers(test="", list='[{"id": 1}]'), "name") == "accepted and stored"
    with pytest.raises(Failed, match="0 events"):
        delivery(Answers(test="", list="[]"), "name")
