"""What a person is told, in one line, when it cannot run."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded.__main__ import main

from .conftest import Instance, Start

Refusal = Callable[..., str]


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Refusal]:
    """Run a command with these settings in this process, and return the one line that it printed before it ended."""
    monkeypatch.chdir(tmp_path)  # without anybody's .env
    mask = os.umask(0o077)

    def refuse(command: str = "run", **settings: object) -> str:
        monkeypatch.setattr("sys.argv", ["embedded", command])
        for name, value in {"WEBCHAT_DATA": tmp_path / "data", **settings}.items():
            monkeypatch.setenv(name, str(value))
        assert main() == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        [line] = printed.err.splitlines()
        return line

    yield refuse
    os.umask(mask)


def test_a_taken_port(start: Start) -> None:
    """In a process of its own, as a person sees it."""
    instance = start()
    with socket.create_server(("127.0.0.1", instance.port)):
        done = instance.run("run")
    assert done.returncode == 1, done
    [line] = done.stderr.splitlines()
    assert f"port {instance.port}" in line
    assert "WEBCHAT_PORT" in line


def test_a_file_in_place_of_the_data_folder(refusal: Refusal, tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert "WEBCHAT_DATA" in refusal()


def test_a_data_folder_below_a_file(refusal: Refusal, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot write to the data folder" in refusal(WEBCHAT_DATA=tmp_path / "file" / "data")


def test_a_second_instance_on_the_same_folder(refusal: Refusal, webchat: Instance) -> None:
    line = refusal(WEBCHAT_DATA=webchat.data, WEBCHAT_PORT=webchat.port)
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
    ],
)
def test_settings_that_make_no_sense(refusal: Refusal, name: str, value: str) -> None:
    assert refusal(**{name: value}).startswith(f"webchat: {name} is {value!r}: ")


@pytest.mark.parametrize("command", ["status", "trace"])
def test_where_nothing_runs(refusal: Refusal, tmp_path: Path, command: str) -> None:
    assert refusal(command).startswith(f"webchat: no WebChat runs in {tmp_path / 'data'}")


@pytest.mark.fresh
def test_a_part_that_ends_again_and_again(start: Start) -> None:
    done = start(WEBCHAT_NGINX="echo", WEBCHAT_RETRIES="0", WEBCHAT_LASTS_SECONDS="30").run("run")
    assert done.returncode == 1
    assert "webchat: nginx ended again and again" in done.stderr
    assert "daemon off" in done.stderr  # what `echo` wrote into its log
    assert "Traceback" not in done.stdout + done.stderr
