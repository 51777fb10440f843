"""What a person is told, in one line, when it cannot run."""

import socket
from pathlib import Path

from .conftest import Instance, Start


def refusal(instance: Instance) -> str:
    """The one line that the runner printed before it ended."""
    done = instance.run("run")
    assert done.returncode == 1, done
    lines = done.stderr.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_a_taken_port(start: Start) -> None:
    instance = start()
    with socket.create_server(("127.0.0.1", instance.port)):
        line = refusal(instance)
    assert f"port {instance.port}" in line
    assert "WEBCHAT_PORT" in line


def test_a_file_in_place_of_the_data_folder(start: Start) -> None:
    instance = start()
    instance.data.touch()
    assert "WEBCHAT_DATA" in refusal(instance)


def test_a_data_folder_below_a_file(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot write to the data folder" in refusal(start("file/data", WEBCHAT_PORT="1"))


def test_a_second_instance_on_the_same_folder(webchat: Instance) -> None:
    second = Instance(webchat.data, webchat.port)
    line = refusal(second)
    assert f"another WebChat (pid {webchat.process.pid})" in line
    assert webchat.answers()


def test_settings_that_make_no_sense(start: Start) -> None:
    assert "WEBCHAT_PORT" in refusal(start(WEBCHAT_PORT="http"))
    assert "WEBCHAT_NGINX" in refusal(start(WEBCHAT_NGINX="no-such-nginx"))


def test_status_of_nothing(start: Start) -> None:
    done = start().run("status")
    assert done.returncode == 1
    assert done.stderr.startswith("webchat: no WebChat runs in ")


def test_a_part_that_ends_again_and_again(start: Start) -> None:
    done = start(WEBCHAT_NGINX="echo").run("run")
    assert done.returncode == 1
    assert "webchat: nginx ended again and again" in done.stderr
    assert "daemon off" in done.stderr  # what `echo` wrote into its log
    assert "Traceback" not in done.stdout + done.stderr
