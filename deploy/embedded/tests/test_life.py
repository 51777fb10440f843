"""The life of an instance: start, restarts of programs, stop, and that nothing is left."""

import json
import os
import re
import signal
import socket
import stat
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from embedded.folder import DataFolder
from embedded.probes import status_of

from .conftest import Instance, Start, processes_in, sign_up, wait_until

PROGRAMS = {"valkey", "s3", "nginx", "auth", "social", "rooms", "media", "chat-gateway-1", "chat-gateway-2", "ops",
            "canary"}  # fmt: skip


def test_prints_what_it_creates_and_when_it_is_ready(webchat: Instance) -> None:
    assert webchat.lines[0] == f"creating {webchat.data}"
    before = webchat.lines[: webchat.lines.index(f"ready {webchat.url}")]
    assert {line.split()[0] for line in before if "ready after" in line} == PROGRAMS
    assert "\033" not in "".join(webchat.lines)
    assert webchat.answers()


def test_status_and_pid_files_agree(webchat: Instance) -> None:
    status = webchat.status()
    assert status.keys() == PROGRAMS
    assert all(row["pid"] == webchat.pid(name) for name, row in status.items())
    assert {name: row["port"] for name, row in status.items()} == webchat.ports | {"nginx": webchat.port}


def test_only_the_owner_reads_secrets_and_each_service_gets_its_own(webchat: Instance) -> None:
    assert stat.S_IMODE((webchat.data / "secrets.json").stat().st_mode) == 0o600
    programs = ("auth", "rooms", "media", "nginx", "valkey", "canary", "ops")
    names = {name: _environment(webchat.pid(name)) for name in programs}
    assert {name for name in names["auth"] if name.endswith("_SERVICE_SECRET")} == {
        f"{service}_SERVICE_SECRET" for service in ("AUTH", "SOCIAL", "ROOMS", "MEDIA", "CHAT_GATEWAY")
    }
    assert {name for name in names["rooms"] if "SECRET" in name} == {"ROOMS_SERVICE_SECRET"}
    assert {name for name in names["media"] if "SECRET" in name} == {"MEDIA_SERVICE_SECRET", "AWS_SECRET_ACCESS_KEY"}
    assert not {name for name in names["valkey"] if "SECRET" in name}
    assert not {name for name in names["ops"] if re.search("SECRET|PASSWORD|ACCESS_KEY", name)}
    assert {name for name in names["canary"] if re.search("SECRET|PASSWORD", name)} == {"CANARY_PASSWORD"}
    assert [name for name in names if "CANARY_PASSWORD" in names[name]] == ["canary"]


def _environment(pid: int) -> set[str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return {entry.partition(b"=")[0].decode() for entry in entries if entry}


def test_other_users_of_this_machine_read_nothing_from_the_stores(webchat: Instance) -> None:
    with socket.create_connection(("127.0.0.1", webchat.ports["valkey"]), 5) as connection:
        connection.sendall(b"KEYS *\r\n")
        assert connection.recv(64).startswith(b"-NOAUTH")
    first = webchat.ports["s3"]
    s3, volume, filer = first, first + 4, first + 6
    assert status_of(s3, "/webchat-media/") == 403
    assert {status_of(filer, path) for path in ("/", "/buckets/", "/buckets/webchat-media/")} == {401}
    assert status_of(volume, "/ui/index.html") == 401
    for private in (webchat.data, webchat.data / "valkey" / "valkey.conf"):
        assert not stat.S_IMODE(private.stat().st_mode) & 0o077


@pytest.mark.parametrize("name", ["auth", "chat-gateway-2", "valkey", "s3"])
def test_a_killed_program_is_restarted(webchat: Instance, name: str) -> None:
    before = webchat.pid(name)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: webchat.pid(name) != before)
    services = ("auth", "social", "rooms", "media", "chat-gateway-1", "chat-gateway-2")
    wait_until(lambda: all(webchat.answers("/readyz", webchat.ports[service]) for service in services))


def test_a_killed_nginx_is_restarted_although_its_workers_held_the_port(webchat: Instance) -> None:
    before = webchat.pid("nginx")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: webchat.pid("nginx") != before)
    wait_until(webchat.answers)
    assert sum("nginx: worker" in command for command in processes_in(webchat.data)) == 1


def test_a_program_that_cannot_start_is_tried_again_without_limit(webchat: Instance) -> None:
    recipe = webchat.data / "run" / "parts" / "media.json"
    good = recipe.read_text()
    recipe.write_text(json.dumps(json.loads(good) | {"command": ["/bin/sh", "-c", "echo no way; exit 1"]}))
    os.kill(webchat.pid("media"), signal.SIGKILL)
    wait_until(lambda: any("media keeps ending" in line for line in webchat.lines))
    assert "  no way" in webchat.lines
    recipe.write_text(good)
    wait_until(lambda: webchat.answers("/readyz", webchat.ports["media"]))


@pytest.mark.fresh
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_while_it_starts(start: Start, number: signal.Signals) -> None:
    instance = start().launch(deaf=True)
    instance.wait_until((instance.data / "run" / "pids" / "canary").exists)
    instance.end(number)
    assert not instance.is_ready
    assert_gone(instance)


@pytest.mark.fresh
@pytest.mark.timeout(300)
def test_a_start_after_killed_runners(webchat: Instance, start: Start) -> None:
    """Use a folder with a long name, next to another instance, and few programs, because they start three times."""
    instance = start("long-" * 30 + "name", WEBCHAT_GATEWAYS="1", CANARY="off").launch()
    instance.wait_until((instance.data / "run" / "pids" / "s3").exists)
    before = instance.pid("s3")
    instance.wait_until(lambda: instance.answers_at_all(instance.ports["s3"]))
    with left_behind(instance):
        instance.lines.clear()
        instance.launch()
        wait_until(lambda: not any("weed" in command for command in processes_in(instance.data)))
    instance.ready()
    assert any(line.startswith("ended processes of an earlier run: ") for line in instance.lines)
    assert instance.pid("s3") != before
    assert instance.status().keys() == PROGRAMS - {"chat-gateway-2", "canary"}, "over a socket with a short name"
    assert webchat.answers()
    assert set(webchat.ports.values()).isdisjoint(instance.ports.values())

    ports = instance.ports
    with httpx.Client(base_url=instance.url, trust_env=False) as browser:
        sign_up(browser)
        me = browser.get("/api/auth/me").json()["webchat_id"]
        instance.end(signal.SIGKILL)
        wait_until(lambda: processes_in(instance.data) == [], 30)  # programs do not outlive their runner
        instance.lines.clear()
        instance.launch(deaf=True).ready()
        assert not any("earlier run" in line for line in instance.lines)
        assert instance.ports == ports
        assert browser.get("/api/auth/me").json()["webchat_id"] == me, "the next start finds everything"

    instance.end(signal.SIGINT)
    assert_gone(instance, PROGRAMS - {"chat-gateway-2"})


@contextmanager
def left_behind(instance: Instance) -> Iterator[None]:
    """Kill the runner. supervisord is stopped while the block runs, so its programs keep running."""
    supervisord = instance.pid("supervisord")
    os.kill(supervisord, signal.SIGSTOP)
    try:
        instance.end(signal.SIGKILL)
        yield
    finally:
        os.kill(supervisord, signal.SIGCONT)


def assert_gone(instance: Instance, programs: AbstractSet[str] = PROGRAMS) -> None:
    """Assert that it has stopped in order and left no process, socket, secret or port of the programs in use."""
    assert instance.process.returncode == 0
    assert processes_in(instance.data) == []
    assert not list(instance.data.rglob("*.sock"))
    sockets = DataFolder(instance.data).socket("supervisor").parent
    assert sockets == instance.data / "run" or not sockets.exists()
    assert not list((instance.data / "run" / "parts").iterdir())
    assert instance.ports.keys() == programs - {"nginx"}
    assert not [port for port in (instance.port, *instance.ports.values()) if instance.answers_at_all(port)]
