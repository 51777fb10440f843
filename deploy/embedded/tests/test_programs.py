"""Modules without a whole instance: ports, secrets, supervision, sockets, and the demo data."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from configparser import RawConfigParser
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from embedded import credentials, ports, programs, supervision
from embedded.folder import LONGEST_SOCKET_PATH, DataFolder
from embedded.programs import Program
from embedded.runner import supervised
from embedded.seed.dataset import PEOPLE, ROOMS
from embedded.seed.scenes import SLOT, conversation, script
from embedded.settings import Restarts, Settings
from embedded.supervision import Supervisor

from .conftest import processes_in, wait_until


def test_ports_are_kept_and_moved_only_when_taken(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    sizes = {"valkey": 1, "s3": 10}
    first = ports.choose(file, sizes)
    assert ports.choose(file, sizes) == first == json.loads(file.read_text())
    with socket.create_server(("127.0.0.1", first["s3"] + 9)):
        second = ports.choose(file, sizes)
    assert second["valkey"] == first["valkey"]
    assert second["s3"] != first["s3"]


def test_ports_are_below_the_ephemeral_range(tmp_path: Path) -> None:
    chosen = ports.choose(tmp_path / "ports.json", {str(index): 1 for index in range(50)})
    assert all(ports.LOWEST <= port < int(ports.RANGE_FILE.read_text().split()[0]) for port in chosen.values())
    assert len(set(chosen.values())) == 50


def test_missing_secrets_are_generated_once_and_set_ones_win(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    made = credentials.complete({"AWS_ACCESS_KEY": "mine"}, file)
    assert made["AWS_ACCESS_KEY"] == "mine"
    assert len(made["SESSION_SECRET_KEY"]) == 64
    again = credentials.complete({}, file)
    assert again["SESSION_SECRET_KEY"] == made["SESSION_SECRET_KEY"]
    assert again["AWS_ACCESS_KEY"] != "mine"
    assert len(set(again.values())) == len(credentials.GENERATED) + 1
    assert len(again["REDIS_PASSWORD"]) == 64
    assert "REDIS_PASSWORD" not in credentials.complete({"REDIS_ENDPOINT": "mine"}, tmp_path / "other.json")


def program_of(folder: DataFolder, script: str) -> Program:
    command = (sys.executable, "-P", "-c", script)
    return Program("clock", "services", 1, command, {}, lambda _: True, stop_seconds=60, log=folder.logs / "clock.log")


@contextmanager
def one_program(data: Path, script: str, grace: float) -> Iterator[tuple[DataFolder, Supervisor]]:
    """Run a supervisord with one program, a Python that runs the script. Yields once the script has written a line."""
    folder = DataFolder(data)
    folder.create()
    program = program_of(folder, script)
    supervision.write_configuration(folder, [program], {}, Restarts())
    with supervised(folder, [program], grace), closing(Supervisor(folder)) as supervisor:
        wait_until(lambda: program.log.exists() and program.log.read_text())
        yield folder, supervisor


TICKS = "import time; print('ticks', flush=True); time.sleep(1000)"
NEVER_STOPS = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + TICKS


def test_a_program_that_does_not_stop_in_time_is_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with one_program(tmp_path, NEVER_STOPS, grace=0.1) as (folder, _):
        assert any("ticks" in command for command in processes_in(folder.path))
    assert processes_in(tmp_path) == []
    assert "some programs did not stop in time and are killed\n" in capsys.readouterr().out


def test_a_program_that_stops_is_not_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with one_program(tmp_path, TICKS, grace=60) as (folder, supervisor):
        [clock] = supervisor.processes()
        supervisor.stop(clock)
        [stopped] = supervisor.processes()
        assert (stopped.state, stopped.pid) == ("STOPPED", 0)
        supervisor.start(clock)
        wait_until(lambda: supervisor.processes()[0].pid)
        assert supervisor.processes()[0].pid != clock.pid
        log = folder.logs / "clock.log"
        wait_until(lambda: log.read_text().count("ticks") == 2)  # a signal before that line would be lost in the fork
    assert processes_in(tmp_path) == []
    assert capsys.readouterr().out == ""


def test_a_supervisor_that_does_not_listen_yet_raises_the_same_error_again(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with closing(Supervisor(folder)) as supervisor:
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                supervisor.processes()
        folder.create()
        folder.create_socket_folder()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder.socket("supervisor")))
            for _ in range(2):
                with pytest.raises(ConnectionRefusedError):
                    supervisor.processes()
        folder.socket("supervisor").unlink()
        folder.remove_socket_folder()


@pytest.mark.parametrize("restarts", [Restarts(), Restarts(lasts_seconds=7, retries=0)], ids=["usual", "set"])
def test_the_settings_limit_restarts(tmp_path: Path, restarts: Restarts) -> None:
    folder = DataFolder(tmp_path)
    folder.create()
    supervision.write_configuration(folder, [program_of(folder, TICKS)], {}, restarts)
    written = RawConfigParser()
    written.read(folder.run / "supervisord.conf")
    program = written["program:clock"]
    assert program["autorestart"] == "true"
    assert (program.getint("startsecs"), program.getint("startretries")) == (restarts.lasts_seconds, restarts.retries)
    assert (Restarts().lasts_seconds, Restarts().retries) == (3, 3), "as the README says"


def test_all_scenes_are_well_formed() -> None:
    for language in ("ko", "en"):
        slots, scenes = script(language).slots, script(language).scenes
        assert all(scenes)
        assert len(scenes) > 10
        for scene in scenes:
            for index, line in enumerate(scene):
                assert line.speaker in "ABCDE", line
                assert set(SLOT.findall(line.body)) <= slots.keys(), line
                assert line.replies_to <= index, line


def test_a_room_has_the_same_conversation_every_time() -> None:
    ids = {person.webchat_id for person in PEOPLE}
    for room in ROOMS:
        lines = conversation(room)
        assert lines == conversation(room)
        assert len(lines) == room.messages
        assert {line.speaker for line in lines} <= set(room.people) <= ids
        assert all(0 < len(line.body) <= 4000 and "{" not in line.body for line in lines)
    assert sum(room.messages for room in ROOMS) > 3000


@pytest.mark.parametrize("length", [40, *range(70, 90), 150])
def test_sockets_have_a_folder_however_long_the_path_is(tmp_path: Path, length: int) -> None:
    """For some lengths a socket with a short name fits into `run/`, but one with a long name does not."""
    padding = max(length - len(str(tmp_path)) - 1, 1)
    folder = DataFolder(tmp_path / ("d" * padding))
    folder.create()
    folder.create_socket_folder()
    for name in ("supervisor", "s3", "filer"):
        path = folder.socket(name)
        assert path.parent.is_dir(), name
        assert len(str(path)) <= LONGEST_SOCKET_PATH
    folder.remove_socket_folder()
    assert path.parent.exists() == (path.parent == folder.run)


def test_there_is_a_gateway_for_each_usable_core_up_to_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBCHAT_GATEWAYS", raising=False)
    usable = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(usable)})
        assert Settings.load().gateways == 1
    finally:
        os.sched_setaffinity(0, usable)
    assert Settings.load().gateways == min(4, len(usable))
    monkeypatch.setenv("WEBCHAT_GATEWAYS", "3")
    assert list(programs.ports_in_a_row(Settings.load().gateways))[-5:-2] == [f"chat-gateway-{n}" for n in (1, 2, 3)]
