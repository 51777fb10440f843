"""An instance from start to end, and what is left after it."""

import json
import os
import re
import signal
import stat
from pathlib import Path

import httpx
import pytest

from .conftest import Instance, Start, processes_in, wait_until

PARTS = {"valkey", "s3", "nginx", "auth", "social", "rooms", "media", "chat-gateway-1", "chat-gateway-2", "canary"}


def test_tells_what_it_creates_and_when_it_is_ready(webchat: Instance) -> None:
    assert webchat.lines[0] == f"creating {webchat.data}"
    before = webchat.lines[: webchat.lines.index(f"ready {webchat.url}")]
    assert {line.split()[0] for line in before if "ready after" in line} == PARTS
    assert "\033" not in "".join(webchat.lines)
    assert webchat.answers()


def test_status_and_pid_files_agree(webchat: Instance) -> None:
    status = webchat.status()
    assert status.keys() == PARTS
    assert all(row["pid"] == webchat.pid(name) for name, row in status.items())
    assert {name: row["port"] for name, row in status.items()} == webchat.ports | {"nginx": webchat.port}


def test_secrets_are_the_owners_and_each_service_gets_its_own(webchat: Instance) -> None:
    assert stat.S_IMODE((webchat.data / "secrets.json").stat().st_mode) == 0o600
    names = {name: _environment(webchat.pid(name)) for name in ("auth", "rooms", "media", "nginx", "valkey", "canary")}
    assert {name for name in names["auth"] if name.endswith("_SERVICE_SECRET")} == {
        f"{service}_SERVICE_SECRET" for service in ("AUTH", "SOCIAL", "ROOMS", "MEDIA", "CHAT_GATEWAY")
    }
    assert {name for name in names["rooms"] if "SECRET" in name} == {"ROOMS_SERVICE_SECRET"}
    assert {name for name in names["media"] if "SECRET" in name} == {"MEDIA_SERVICE_SECRET", "AWS_SECRET_ACCESS_KEY"}
    assert not {name for name in names["valkey"] if "SECRET" in name}
    assert {name for name in names["canary"] if re.search("SECRET|PASSWORD", name)} == {"CANARY_PASSWORD"}
    assert [name for name in names if "CANARY_PASSWORD" in names[name]] == ["canary"]


def _environment(pid: int) -> set[str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return {entry.partition(b"=")[0].decode() for entry in entries if entry}


@pytest.mark.parametrize("name", ["auth", "chat-gateway-2", "valkey", "s3"])
def test_a_killed_part_comes_back(webchat: Instance, name: str) -> None:
    before = webchat.pid(name)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: webchat.pid(name) != before)
    services = ("auth", "social", "rooms", "media", "chat-gateway-1", "chat-gateway-2")
    wait_until(lambda: all(webchat.answers("/readyz", webchat.ports[service]) for service in services), 30)


def test_a_killed_nginx_comes_back_although_its_workers_held_the_port(webchat: Instance) -> None:
    before = webchat.pid("nginx")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: webchat.pid("nginx") != before)
    wait_until(webchat.answers, 30)
    assert sum("nginx: worker" in command for command in processes_in(webchat.data)) == 1


def test_a_part_that_cannot_start_is_tried_for_ever(webchat: Instance) -> None:
    recipe = webchat.data / "run" / "parts" / "media.json"
    good = recipe.read_text()
    recipe.write_text(json.dumps(json.loads(good) | {"command": ["/bin/sh", "-c", "echo no way; exit 1"]}))
    os.kill(webchat.pid("media"), signal.SIGKILL)
    wait_until(lambda: any("media ended again and again" in line for line in webchat.lines), 30)
    assert "  no way" in webchat.lines
    recipe.write_text(good)
    wait_until(lambda: webchat.answers("/readyz", webchat.ports["media"]), 30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_within_five_seconds(start: Start, number: signal.Signals) -> None:
    instance = start().launch(deaf=True).ready()
    assert instance.end(number) <= 5
    assert instance.process.returncode == 0
    assert processes_in(instance.data) == []
    assert not list(instance.data.rglob("*.sock"))
    assert not list((instance.data / "run" / "parts").iterdir())
    assert not any(is_open(port) for port in (instance.port, *instance.ports.values()))


def is_open(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}", trust_env=False, timeout=1)
    except httpx.TransportError:
        return False
    return True


def test_stopping_while_it_starts(start: Start) -> None:
    instance = start().launch()
    wait_until(lambda: any(line.startswith("starting") for line in instance.lines))
    assert instance.end() <= 5
    assert processes_in(instance.data) == []
    assert not instance.is_ready


def test_parts_do_not_outlive_a_killed_runner_and_the_next_start_finds_everything(start: Start) -> None:
    instance = start().launch().ready()
    ports = instance.ports
    with httpx.Client(base_url=instance.url, trust_env=False) as browser:
        account = {"email": "a@example.org", "password": "honey-on-warm-paper-7", "webchat_id": "anna"}
        assert browser.post("/api/auth/signup", json=account | {"display_name": "Anna"}).status_code == 201
        instance.end(signal.SIGKILL)
        wait_until(lambda: processes_in(instance.data) == [], 8)
        instance.lines.clear()
        instance.launch().ready()
        assert instance.ports == ports
        assert browser.get("/api/auth/me").json()["webchat_id"] == "anna"


def test_a_start_right_after_a_killed_runner_ends_what_is_left(start: Start) -> None:
    instance = start().launch().ready()
    before = instance.pid("s3")
    instance.end(signal.SIGKILL)
    instance.lines.clear()
    instance.launch().ready()
    assert any(line.startswith("ended what an earlier run had left: ") for line in instance.lines)
    assert instance.pid("s3") != before


def test_two_instances_side_by_side(webchat: Instance, start: Start) -> None:
    other = start().launch().ready()
    assert webchat.answers()
    assert other.answers()
    assert set(webchat.ports.values()).isdisjoint(other.ports.values())


def test_a_long_folder_name_gets_a_short_socket(start: Start) -> None:
    instance = start("long-" * 30 + "name").launch().ready()
    assert instance.status().keys() == PARTS
    assert instance.end() <= 5
