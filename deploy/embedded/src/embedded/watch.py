"""Watches the parts while they run: who is ready, who was started again, whom supervisor gave up."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from embedded.console import say
from embedded.failures import CannotRun
from embedded.parts import Part
from embedded.signals import StopRequests
from embedded.supervision import Process, Supervisor

LINES = 12


class Watch:
    def __init__(
        self,
        parts: Sequence[Part],
        supervisor: Supervisor,
        supervisord: subprocess.Popen[bytes],
        look_seconds: float,
    ) -> None:
        self.waiting = list(parts)
        self._parts = {part.name: part for part in parts}
        self._supervisor, self._supervisord = supervisor, supervisord
        self._look_seconds = look_seconds
        self._pids: dict[str, int] = {}
        self._looked = time.monotonic()

    def part(self, name: str) -> Part:
        return self._parts[name]

    def newly_ready(self) -> list[Part]:
        """Return the parts that became ready since the last call; those of the edge count once all others are."""
        self._supervisor.wake()
        ready = [part for part in self.waiting if part.group != "edge" and part.is_ready(part.port)]
        left = [part for part in self.waiting if part not in ready]
        if all(part.group == "edge" for part in left):
            ready += [part for part in left if part.is_ready(part.port)]
        self.waiting = [part for part in self.waiting if part not in ready]
        return ready

    def look(self) -> list[Process]:
        """Return the processes that supervisor gave up; it is asked once in `look_seconds`.

        Raises CannotRun when supervisor ended.
        """
        if (status := self._supervisord.poll()) is not None:
            raise CannotRun(f"supervisord ended with status {status}: see logs/parts/supervisord.*")
        if time.monotonic() - self._looked < self._look_seconds:
            return []
        self._looked = time.monotonic()
        try:
            processes = self._supervisor.processes()
        except (FileNotFoundError, ConnectionRefusedError):
            return []  # supervisord has only just been started
        self._tell_restarts(processes)
        return [process for process in processes if process.gave_up]

    def until(self, stop: StopRequests) -> None:
        """Watch until asked to stop. A part that supervisor gave up is shown and tried again, for ever."""
        while not stop.wait(self._look_seconds):
            for process in self.look():
                log = self._parts[process.name].log
                say(f"{process.name} ended again and again and is tried anew; the end of {log}:\n{last_lines(log)}")
                self._supervisor.start(process)

    def _tell_restarts(self, processes: Sequence[Process]) -> None:
        for process in processes:
            before = self._pids.get(process.name)
            if process.pid and before and process.pid != before:
                say(f"{process.name} had ended and was started again (pid {process.pid})")
            if process.pid:
                self._pids[process.name] = process.pid


def last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"  {line}" for line in lines[-LINES:])
