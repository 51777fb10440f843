"""The privileges of containers: no root, no capabilities, no writable files, on compose and on a swarm."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[1]
OURS = ("nginx", "auth", "social", "rooms", "media", "chat-gateway", "canary", "ops")
MIGRATIONS = tuple(f"{name}-migration" for name in ("auth", "social", "rooms", "media"))
STORES = ("database", "redis", "storage")
AS_ROOT_AT_FIRST = {"database", "redis", "storage"}
"""The images of others start as root, prepare their volume, and change the user. So they need capabilities."""


def services_of(file: str) -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load((DEPLOY / file).read_text())["services"])


@pytest.fixture(scope="module")
def composed() -> dict[str, dict[str, Any]]:
    """Every container that compose.yaml can start, except those of the log pipeline, which has its own tests."""
    stores = {name: services_of(f"stores/{name}.yaml")[name] for name in STORES}
    setup = {"database-setup": services_of("stores/database-setup.yaml")["database-setup"]}
    return services_of("compose.yaml") | stores | setup | services_of("metrics.yaml")


@pytest.fixture(scope="module")
def swarm() -> dict[str, dict[str, Any]]:
    return services_of("ec2/stack.yaml")


def test_the_lists_of_containers_are_complete(composed: dict[str, dict[str, Any]], swarm: dict[str, dict[str, Any]]):
    assert composed.keys() == {*OURS, *MIGRATIONS, *STORES, "database-setup", "prometheus", "grafana"}
    assert swarm.keys() == set(OURS)


def test_no_container_of_compose_gains_privileges(composed: dict[str, dict[str, Any]]):
    for name, one in composed.items():
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one.get("cap_drop", []) == ([] if name in AS_ROOT_AT_FIRST else ["ALL"]), name
        assert one.get("read_only", False) == (name not in {"database", "storage"}), name


def test_no_container_of_the_swarm_has_capabilities(swarm: dict[str, dict[str, Any]]):
    for name, one in swarm.items():
        assert one["cap_drop"] == ["ALL"], name
        assert one["read_only"] is True, name


def test_engines_of_the_swarm_give_no_new_privileges():
    """Stack files have no such option, so the setting of the whole engine applies."""
    [settings] = re.findall(r'^\{"log-driver".*\}$', (DEPLOY / "ec2" / "user-data.sh").read_text(), re.MULTILINE)
    assert '"no-new-privileges": true' in settings


@pytest.mark.parametrize("deployment", ["composed", "swarm"])
def test_nothing_widens_what_a_container_may_do(deployment: str, request: pytest.FixtureRequest):
    for name, one in request.getfixturevalue(deployment).items():
        widening = {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode", "network_mode", "user"}
        assert not widening & one.keys(), name
        assert "docker.sock" not in str(one.get("volumes", "")), name


@pytest.mark.parametrize("file", ["service.Dockerfile", "edge.Dockerfile"])
def test_our_images_run_as_a_user_without_a_name(file: str):
    """The user comes after every instruction that runs as root, and owns no file of the image but nginx's state."""
    stages = (DEPLOY / file).read_text().split("\nFROM ")
    last = stages[-1]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["10001:10001"]
    assert not re.search(r"^(?:RUN|ADD)\b", last, re.MULTILINE)
    assert "--chown" not in last


def test_every_container_of_ours_is_limited(composed: dict[str, dict[str, Any]], swarm: dict[str, dict[str, Any]]):
    for services in (composed, swarm):
        for name in OURS:
            assert services[name]["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}, name


def test_only_nginx_has_a_port_for_other_machines(
    composed: dict[str, dict[str, Any]], swarm: dict[str, dict[str, Any]]
):
    for name, one in composed.items():
        public = [port for port in one.get("ports", []) if not str(port).startswith("127.0.0.1:")]
        assert bool(public) == (name == "nginx"), name
    assert [name for name, one in swarm.items() if "ports" in one] == ["nginx"]
