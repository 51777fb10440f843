"""supervisor: its configuration, and the calls to it over its Unix socket.

supervisor gives a program up after `startretries` failed starts in a row, waiting one, two, three seconds between them.
The runner reports that and starts it again, so programs are restarted without limit but with a bounded delay.
"""

import itertools
import json
import shlex
import socket
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping, Sequence
from configparser import RawConfigParser
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from supervisor.xmlrpc import SupervisorTransport

from embedded.console import LOG_BYTES, LOG_FILES
from embedded.folder import DataFolder
from embedded.programs import Group, Program
from embedded.settings import Restarts

STOP_POLL_SECONDS = 0.02
STOPPED = {"STOPPED", "EXITED", "FATAL"}

ORDER: tuple[Group, ...] = ("stores", "services", "edge")
Sections: TypeAlias = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Process:
    name: str
    group: str
    state: str
    pid: int
    started: int
    """When it was last started, in seconds since 1970."""

    @property
    def gave_up(self) -> bool:
        return self.state == "FATAL"


class Supervisor:
    """The running supervisord of a data folder.

    Every call raises OSError if there is no answer; the next call connects again.
    """

    def __init__(self, folder: DataFolder) -> None:
        self._socket = str(folder.socket("supervisor"))
        self._transport = SupervisorTransport(serverurl=f"unix://{self._socket}")
        self._rpc: Any = xmlrpc.client.ServerProxy("http://localhost", transport=self._transport).supervisor

    def close(self) -> None:
        self._transport.close()

    def processes(self) -> list[Process]:
        return [
            Process(info["name"], info["group"], info["statename"], info["pid"], info["start"])
            for info in self._call("getAllProcessInfo")
        ]

    def wake(self) -> None:
        """Connect to supervisord, if it listens, so that it polls its processes now and not within a second."""
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.connect(self._socket)

    def stop(self, process: Process) -> None:
        """Stop a process and return when it has ended.

        supervisor notices the end at the next call, or within a second, so its own answer may come that late.
        """
        self._call("stopProcess", f"{process.group}:{process.name}", False)
        while not any(one.name == process.name and one.state in STOPPED for one in self.processes()):
            time.sleep(STOP_POLL_SECONDS)

    def start(self, process: Process) -> None:
        self._call("startProcess", f"{process.group}:{process.name}", False)

    def _call(self, method: str, *arguments: object) -> Any:
        try:
            return getattr(self._rpc, method)(*arguments)
        except OSError:
            self._transport.close()  # otherwise it would keep the failed connection and refuse to use it
            raise


def command(folder: DataFolder) -> list[str]:
    """Return the command that starts supervisord through the launcher, so that it ends with the runner."""
    return [sys.executable, "-P", "-m", "embedded.launch", str(folder.run), "supervisord"]


def write_configuration(
    folder: DataFolder, programs: Sequence[Program], basics: Mapping[str, str], restarts: Restarts
) -> None:
    """Write supervisord's configuration, and each program's command and environment (with secrets) for the launcher."""
    file = folder.run / "supervisord.conf"
    parser = RawConfigParser()
    parser.read_dict(_daemon(folder) | _groups(programs))
    parser.read_dict({f"program:{program.name}": _program(folder, program, restarts) for program in programs})
    with file.open("w") as output:
        parser.write(output)
    arguments = [sys.executable, "-P", "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(file)]
    (folder.run / "parts").mkdir(mode=0o700, exist_ok=True)
    _write_program(folder, "supervisord", arguments, basics)
    for program in programs:
        _write_program(folder, program.name, program.command, program.environment)


def _write_program(folder: DataFolder, name: str, arguments: Iterable[str], environment: Mapping[str, str]) -> None:
    file = folder.run / "parts" / f"{name}.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"command": list(arguments), "environment": dict(environment)}))


def _daemon(folder: DataFolder) -> Sections:
    return {
        "unix_http_server": {"file": _escaped(folder.socket("supervisor")), "chmod": "0600"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "supervisord": {
            "logfile": _escaped(folder.third_party_logs / "supervisord.log"),
            "logfile_maxbytes": LOG_BYTES,
            "logfile_backups": 1,
            "pidfile": _escaped(folder.run / "supervisord.pid"),
            "identifier": "webchat",
            "silent": "true",
            "umask": "077",
        },
    }


def _groups(programs: Iterable[Program]) -> Sections:
    by_group = {group: [program.name for program in programs if program.group == group] for group in ORDER}
    return {
        f"group:{group}": {"programs": ",".join(names), "priority": priority}
        for (group, names), priority in zip(by_group.items(), itertools.count(1), strict=False)
        if names
    }


def _program(folder: DataFolder, program: Program, restarts: Restarts) -> dict[str, Any]:
    launch = shlex.join([sys.executable, "-P", "-m", "embedded.launch", str(folder.run), program.name])
    return {
        "command": launch.replace("%", "%%"),
        "autorestart": "true",
        "startsecs": restarts.lasts_seconds,
        "startretries": restarts.retries,
        "stopwaitsecs": program.stop_seconds,
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": _escaped(program.log),
        "stdout_logfile_maxbytes": LOG_BYTES,
        "stdout_logfile_backups": LOG_FILES,
    }


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
