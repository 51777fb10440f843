"""One run, from the first check to the last process: prepare, start, tell when ready, watch, stop.

Stopping takes five seconds at the most; whatever is left then is killed.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from embedded import credentials, ports, supervision
from embedded.console import BOLD, GREEN, keep_log, say
from embedded.edge import nginx_part
from embedded.failures import CannotRun
from embedded.folder import DataFolder
from embedded.parts import PORTS_IN_A_ROW, Part, Stack, list_parts
from embedded.processes import end_all
from embedded.settings import Settings
from embedded.signals import StopRequests
from embedded.supervision import Supervisor
from embedded.watch import Watch, last_lines

STOP_SECONDS = 4.5
START_SECONDS = 120
PROBE_SECONDS = 0.05


def run(settings: Settings) -> int:
    """Run until asked to stop; returns the exit status, raises CannotRun where the start fails."""
    os.umask(0o077)
    folder = DataFolder(settings.data)
    if folder.create():
        say(f"creating {folder.path}")
    with folder.locked():
        keep_log(folder.logs / "runner.log")
        _end_leftovers(folder)
        ports.check_public_port(settings.port)
        stop = StopRequests()
        parts = _prepare(settings, folder)
        with supervised(folder, parts) as supervisord, closing(Supervisor(folder)) as supervisor:
            watch = Watch(parts, supervisor, supervisord, settings.restarts.look_seconds)
            if _start(watch, stop):
                say(f"ready {settings.url}", BOLD)
                watch.until(stop)
            say("stopping")
    return 0


def _end_leftovers(folder: DataFolder) -> None:
    left = end_all(folder.pids, folder.path, grace=STOP_SECONDS)
    if left:
        say(f"ended what an earlier run had left: {', '.join(left)}")
    folder.socket("supervisor").unlink(missing_ok=True)


def _prepare(settings: Settings, folder: DataFolder) -> list[Part]:
    secrets_file = folder.path / "secrets.json"
    if not secrets_file.exists():
        say("creating secrets")
    stack = Stack(
        settings=settings,
        folder=folder,
        ports=ports.choose(folder.run / "ports.json", PORTS_IN_A_ROW),
        secrets=credentials.complete(settings.environment, secrets_file),
    )
    parts = list_parts(stack, nginx_part(stack))
    supervision.write_configuration(folder, parts, stack.basics, settings.restarts)
    return parts


@contextmanager
def supervised(
    folder: DataFolder, parts: Sequence[Part], grace: float = STOP_SECONDS
) -> Iterator[subprocess.Popen[bytes]]:
    """Run supervisord and all parts. When left, they are gone, and so are their sockets and secrets on disk.

    What has not stopped by itself after `grace` seconds is killed.
    """
    with (folder.foreign_logs / "supervisord.out").open("wb") as output:
        supervisord = subprocess.Popen(  # noqa: S603 - our own command line
            supervision.command(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C in a terminal reaches the runner alone, which then stops in order
        )
    try:
        yield supervisord
    finally:
        _stop(folder, supervisord, grace)
        _clear(folder, parts)


def _stop(folder: DataFolder, supervisord: subprocess.Popen[bytes], grace: float) -> None:
    supervisord.terminate()
    deadline = time.monotonic() + grace
    with closing(Supervisor(folder)) as supervisor:
        while supervisord.poll() is None and time.monotonic() < deadline:
            supervisor.wake()
            time.sleep(0.05)
    if supervisord.poll() is None:
        say("some parts did not stop by themselves and are killed")
        supervisord.kill()
        supervisord.wait()
    end_all(folder.pids, folder.path, grace=0)


def _clear(folder: DataFolder, parts: Sequence[Part]) -> None:
    for part in parts:
        for path in part.leaves:
            path.unlink(missing_ok=True)
    folder.socket("supervisor").unlink(missing_ok=True)
    for file in (folder.run / "parts").iterdir():
        file.unlink()


def _start(watch: Watch, stop: StopRequests) -> bool:
    """Wait until every part is ready, saying so one by one; false when asked to stop meanwhile."""
    say(f"starting {len(watch.waiting)} parts")
    began = time.monotonic()
    while watch.waiting:
        for part in watch.newly_ready():
            say(f"  {part.name:<16}ready after {time.monotonic() - began:4.1f} s", GREEN)
        _check_progress(watch, time.monotonic() - began)
        if stop.wait(PROBE_SECONDS if watch.waiting else 0):
            return False
    return True


def _check_progress(watch: Watch, seconds: float) -> None:
    for process in watch.look():
        part = watch.part(process.name)
        raise CannotRun(f"{part.name} ended again and again; the end of {part.log}:\n{last_lines(part.log)}")
    if seconds > START_SECONDS:
        late = ", ".join(part.name for part in watch.waiting)
        raise CannotRun(f"not ready after {START_SECONDS} s: {late}; see the logs beside {watch.waiting[0].log}")
