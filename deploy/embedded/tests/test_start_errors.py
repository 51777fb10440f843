"""The one line that the command line prints if WebChat cannot run."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded.__main__ import main

from .conftest import Instance, Start

StartError = Callable[..., str]


@pytest.fixture
def start_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[StartError]:
    """Run a failing command with these settings in this process, and return the one line that it printed."""
    monkeypatch.chdir(tmp_path)  # away from the developer's .env
    mask = os.umask(0o077)

    def run(command: str = "run", **settings: object) -> str:
        monkeypatch.setattr("sys.argv", ["embedded", command])
        for name, value in {"WEBCHAT_DATA": tmp_path / "data", **settings}.items():
            monkeypatch.setenv(name, str(value))
        assert main() == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        [line] = printed.err.splitlines()
        return line

    yield run
    os.umask(mask)


def test_a_taken_port(start: Start) -> None:
    """Run it in a separate process, as a user does."""
    instance = start()
    with socket.create_server(("127.0.0.1", instance.port)):
        done = instance.run("run")
    assert done.returncode == 1, done
    [line] = done.stderr.splitlines()
    assert f"port {instance.port}" in line
    assert "WEBCHAT_PORT" in line


def test_a_file_in_place_of_the_data_folder(start_error: StartError, tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert "WEBCHAT_DATA" in start_error()


def test_a_data_folder_below_a_file(start_error: StartError, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot write to the data folder" in start_error(WEBCHAT_DATA=tmp_path / "file" / "data")


def test_a_second_instance_on_the_same_folder(start_error: StartError, webchat: Instance) -> None:
    line = start_error(WEBCHAT_DATA=webchat.data, WEBCHAT_PORT=webchat.port)
    assert f"another WebChat (pid {webchat.process.pid})" in line
    assert webchat.answers()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBCHAT_PORT", "http"),
        ("WEBCHAT_PORT", "0"),
        ("WEBCHAT_PORT", "65536"),
        ("WEBCHAT_NGINX", "no-such-nginx"),
        ("WEBCHAT_LASTS_SECONDS", "0"),
        ("WEBCHAT_RETRIES", "-1"),
        ("WEBCHAT_LOOK_SECONDS", "often"),
        ("WEBCHAT_LOOK_SECONDS", "nan"),
        ("WEBCHAT_GATEWAYS", "0"),
        ("WEBCHAT_GATEWAYS", "9"),
    ],
)
def test_invalid_settings(start_error: StartError, name: str, value: str) -> None:
    assert start_error(**{name: value}).startswith(f"webchat: {name} is {value!r}: ")


@pytest.mark.parametrize("command", ["status", "trace"])
def test_a_folder_where_nothing_runs(start_error: StartError, tmp_path: Path, command: str) -> None:
    assert start_error(command).startswith(f"webchat: no WebChat runs in {tmp_path / 'data'}")


@pytest.mark.fresh
def test_a_program_that_keeps_ending(start: Start) -> None:
    done = start(WEBCHAT_NGINX="echo", WEBCHAT_RETRIES="0", WEBCHAT_LASTS_SECONDS="30").run("run")
    assert done.returncode == 1
    assert "webchat: nginx keeps ending" in done.stderr
    assert "daemon off" in done.stderr  # the line that `echo` wrote into its log
    assert "Traceback" not in done.stdout + done.stderr
