"""The watch over the running programs: it reports those that are ready, restarted or given up by supervisor."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from embedded.console import say
from embedded.failures import CannotRun
from embedded.programs import Program
from embedded.signals import StopRequests
from embedded.supervision import Process, Supervisor

LINES = 12


class Watch:
    def __init__(
        self,
        programs: Sequence[Program],
        supervisor: Supervisor,
        supervisord: subprocess.Popen[bytes],
        look_seconds: float,
    ) -> None:
        self.waiting = list(programs)
        self._programs = {program.name: program for program in programs}
        self._supervisor, self._supervisord = supervisor, supervisord
        self._look_seconds = look_seconds
        self._pids: dict[str, int] = {}
        self._looked = time.monotonic()

    def program(self, name: str) -> Program:
        return self._programs[name]

    def newly_ready(self) -> list[Program]:
        """Return the programs that became ready since the last call. Those of the edge come after all others."""
        self._supervisor.wake()
        ready = [program for program in self.waiting if program.group != "edge" and program.is_ready(program.port)]
        left = [program for program in self.waiting if program not in ready]
        if all(program.group == "edge" for program in left):
            ready += [program for program in left if program.is_ready(program.port)]
        self.waiting = [program for program in self.waiting if program not in ready]
        return ready

    def poll(self) -> list[Process]:
        """Return the processes that supervisor gave up. Polls it at most once per `look_seconds`.

        Raises CannotRun if supervisor has ended.
        """
        if (status := self._supervisord.poll()) is not None:
            raise CannotRun(f"supervisord ended with status {status}: see logs/parts/supervisord.*")
        if time.monotonic() - self._looked < self._look_seconds:
            return []
        self._looked = time.monotonic()
        try:
            processes = self._supervisor.processes()
        except (FileNotFoundError, ConnectionRefusedError):
            return []  # supervisord is still starting
        self._report_restarts(processes)
        return [process for process in processes if process.gave_up]

    def until(self, stop: StopRequests) -> None:
        """Watch until asked to stop. Report and restart each program that supervisor gave up."""
        while not stop.wait(self._look_seconds):
            for process in self.poll():
                log = self._programs[process.name].log
                say(f"{process.name} keeps ending and is started again; the end of {log}:\n{last_lines(log)}")
                self._supervisor.start(process)

    def _report_restarts(self, processes: Sequence[Process]) -> None:
        for process in processes:
            before = self._pids.get(process.name)
            if process.pid and before and process.pid != before:
                say(f"{process.name} ended and was restarted (pid {process.pid})")
            if process.pid:
                self._pids[process.name] = process.pid


def last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"  {line}" for line in lines[-LINES:])
