"""The profile `logging` as compose reads it, with both kinds of Kafka, and that nothing starts without it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[3]
OWN = {"filebeat", "elasticsearch", "elasticsearch-setup", "kibana", "kibana-setup", "nifi", "nifi-setup",
       "kafka-topics"}  # fmt: skip
KAFKA = {
    "zookeeper": {"zookeeper-1", "zookeeper-2", "zookeeper-3", "kafka-1", "kafka-2", "filebeat-kafka-1",
                  "filebeat-kafka-2"},
    "kraft": {f"{kind}-{n}" for kind in ("kafka", "filebeat-kafka") for n in (1, 2, 3)},
}  # fmt: skip
SECRETS = {"ELASTIC_PASSWORD", "LOGS_WRITER_PASSWORD", "KIBANA_PASSWORD", "KIBANA_KEY", "NIFI_PASSWORD", "NIFI_KEY"}
ENDS = re.compile(r"-(setup|topics)$")
FORM = {"kraft": {"LOGGING_KAFKA": "kraft"}, "zookeeper": {}}
NAMES = {
    "zookeeper": ("hosts.yaml", ["kafka-1", "kafka-2", "zookeeper-1", "zookeeper-2", "zookeeper-3"]),
    "kraft": ("hosts-kraft.yaml", ["kafka-1", "kafka-2", "kafka-3"]),
}

pytestmark = pytest.mark.skipif(
    not shutil.which("docker")
    or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode,
    reason="compose is not installed: apt-get install docker-cli docker-compose",
)


@pytest.fixture(scope="module")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("env") / ".env"
    command = [sys.executable, str(CHECKOUT / "deploy" / "make_env.py"), str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return file


def compose(env_file: Path, *args: str, files: tuple[str, ...] = ("compose.yaml",), **settings: str) -> dict[str, Any]:
    named = [word for file in files for word in ("--file", str(CHECKOUT / file))]
    command = ["docker", "compose", "--project-directory", str(CHECKOUT), "--env-file", str(env_file), *named, *args]
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **settings}
    command += ["config", "--format", "json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "variable is not set" not in done.stderr, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module", params=KAFKA)
def services(request: pytest.FixtureRequest, env_file: Path) -> tuple[str, dict[str, Any]]:
    whole = compose(env_file, "--profile", "logging", **FORM[request.param])
    return request.param, {name: one for name, one in whole["services"].items() if one.get("profiles") == ["logging"]}


def test_all_hosts_of_the_diagram_exist(services: tuple[str, dict[str, Any]]):
    kind, own = services
    assert own.keys() == OWN | KAFKA[kind]


def test_every_container_is_pinned_and_limited(services: tuple[str, dict[str, Any]]):
    _, own = services
    versions = {}
    for name, one in own.items():
        image, _, tag = one["image"].rpartition(":")
        if "python" not in image:
            assert re.fullmatch(r"\d+\.\d+\.\d+", tag), f"{name}: {one['image']} is not pinned"
            versions.setdefault(image, set()).add(tag)
        assert one["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}, name
        assert one["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["restart"] == ("on-failure:3" if ENDS.search(name) else "unless-stopped"), name
        assert ("healthcheck" in one) != bool(ENDS.search(name)), name
        assert all(port["host_ip"] == "127.0.0.1" for port in one.get("ports", [])), f"{name} listens on all addresses"
    assert all(len(tags) == 1 for tags in versions.values()), versions
    assert versions["elasticsearch"] == versions["kibana"] == versions["elastic/filebeat"]


def test_secrets_are_files(services: tuple[str, dict[str, Any]], env_file: Path):
    _, own = services
    values = {line.partition("=")[2] for line in env_file.read_text().splitlines() if line.partition("=")[0] in SECRETS}
    assert len(values) == len(SECRETS)
    assert not any(value in json.dumps(own) for value in values)
    given = {name: {secret["source"] for secret in one.get("secrets", [])} for name, one in own.items()}
    assert {name: secrets for name, secrets in given.items() if secrets} == {
        "elasticsearch": {"elastic_password"},
        "elasticsearch-setup": {"elastic_password", "logs_writer_password", "kibana_password"},
        "kibana": {"kibana_password", "kibana_key"},
        "kibana-setup": {"elastic_password"},
        "nifi": {"nifi_password", "nifi_key"},
        "nifi-setup": {"nifi_password", "logs_writer_password"},
    }
    for name, secrets in given.items():
        assert not (secrets and own[name].get("read_only")), f"{name}: compose cannot copy secrets into it"


def test_mounted_files_exist(services: tuple[str, dict[str, Any]]):
    _, own = services
    ours = [
        (name, mount)
        for name, one in own.items()
        for mount in one.get("volumes", [])
        if mount["type"] == "bind" and mount["source"].startswith(str(CHECKOUT))
    ]
    assert ours
    for name, mount in ours:
        assert Path(mount["source"]).exists(), f"{name}: {mount['source']} does not exist"
        assert mount["read_only"], name
    assert any(mount["target"] == "/usr/share/filebeat/data" for mount in own["filebeat"]["volumes"]), "the registry"


def test_services_start_after_their_dependencies(services: tuple[str, dict[str, Any]]):
    kind, own = services
    needs = {name: one.get("depends_on", {}) for name, one in own.items()}
    brokers = {name for name in KAFKA[kind] if name.startswith("kafka-")}
    assert needs["kafka-topics"].keys() == brokers
    for name in (name for name in own if name.startswith("filebeat")):
        assert needs[name]["kafka-topics"]["condition"] == "service_completed_successfully"
    known = ",".join(f"{broker}:9092" for broker in sorted(brokers))
    for name in ("kafka-topics", "filebeat", "nifi-setup", *(f"filebeat-{broker}" for broker in brokers)):
        settings = own[name]["environment"]
        assert (settings.get("KAFKA_BROKERS") or settings["BOOTSTRAP"]) == known, name


def test_without_the_profile_nothing_changes(env_file: Path, tmp_path: Path):
    """Not even the secrets of the pipeline are needed."""
    bare = tmp_path / ".env"
    lines = env_file.read_text().splitlines()
    bare.write_text("\n".join(line for line in lines if line.partition("=")[0] not in SECRETS) + "\n")
    with_it, without = (compose(bare, files=(file,)) for file in ("compose.yaml", "deploy/compose.yaml"))
    for kind in ("services", "networks", "volumes"):
        assert with_it[kind].keys() == without[kind].keys()
    assert with_it["services"] == without["services"]
    assert "secrets" not in with_it


@pytest.mark.parametrize("kind", KAFKA)
def test_separate_hosts_reach_each_other(tmp_path: Path, kind: str):
    """The hosts have nothing else of WebChat, in particular no secrets."""
    (tmp_path / ".env").touch()
    file, names = NAMES[kind]
    addresses = {name: f"10.0.0.{number}" for number, name in enumerate(names, 11)}
    settings = {f"{name.upper().replace('-', '_')}_IP": address for name, address in addresses.items()}
    files = ("deploy/logging/compose.yaml", f"deploy/logging/{file}")
    whole = compose(
        tmp_path / ".env", "--profile", "logging", files=files, HOST_IP="10.0.0.1", **settings, **FORM[kind]
    )
    own = whole["services"]
    assert own.keys() == OWN | KAFKA[kind]
    others = {"elasticsearch", "elasticsearch-setup", "kibana", "kibana-setup"}
    for name in own.keys() - others:
        assert dict(line.split("=") for line in own[name]["extra_hosts"]) == addresses, name
    open_to_hosts = {
        name for name, one in own.items() for port in one.get("ports", []) if port["host_ip"] == "10.0.0.1"
    }
    assert open_to_hosts == set(names)
