"""One run: prepare, start, wait until everything is ready, watch, stop.

Stopping takes at most five seconds; the processes left by then are killed.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from embedded import credentials, ports, supervision
from embedded.console import BOLD, GREEN, log_to, say
from embedded.edge import nginx_program
from embedded.failures import CannotRun
from embedded.folder import DataFolder
from embedded.processes import end_all
from embedded.programs import Program, Stack, list_programs, ports_in_a_row
from embedded.settings import Settings
from embedded.signals import StopRequests
from embedded.supervision import Supervisor
from embedded.watch import Watch, last_lines

STOP_SECONDS = 4.5
START_SECONDS = 120
PROBE_SECONDS = 0.05


def run(settings: Settings) -> int:
    """Run until asked to stop, and return the exit status. Raises CannotRun if the start fails."""
    os.umask(0o077)
    folder = DataFolder(settings.data)
    if folder.create():
        say(f"creating {folder.path}")
    with folder.locked():
        log_to(folder.logs / "runner.log")
        _end_leftovers(folder)
        ports.check_public_port(settings.port)
        stop = StopRequests()
        programs = _prepare(settings, folder)
        with supervised(folder, programs) as supervisord, closing(Supervisor(folder)) as supervisor:
            watch = Watch(programs, supervisor, supervisord, settings.restarts.look_seconds)
            if _start(watch, stop):
                say(f"ready {settings.url}", BOLD)
                watch.until(stop)
            say("stopping")
    return 0


def _end_leftovers(folder: DataFolder) -> None:
    left = end_all(folder.pids, folder.path, grace=STOP_SECONDS)
    if left:
        say(f"ended processes of an earlier run: {', '.join(left)}")
    folder.socket("supervisor").unlink(missing_ok=True)


def _prepare(settings: Settings, folder: DataFolder) -> list[Program]:
    secrets_file = folder.path / "secrets.json"
    if not secrets_file.exists():
        say("creating secrets")
    stack = Stack(
        settings=settings,
        folder=folder,
        ports=ports.choose(folder.run / "ports.json", ports_in_a_row(settings.gateways)),
        secrets=credentials.complete(settings.environment, secrets_file),
    )
    programs = list_programs(stack, nginx_program(stack))
    supervision.write_configuration(folder, programs, stack.basics, settings.restarts)
    return programs


@contextmanager
def supervised(
    folder: DataFolder, programs: Sequence[Program], grace: float = STOP_SECONDS
) -> Iterator[subprocess.Popen[bytes]]:
    """Run supervisord and all programs; on exit, end them and remove their sockets and their secrets on disk.

    Processes that have not stopped after `grace` seconds are killed.
    """
    folder.create_socket_folder()
    with (folder.third_party_logs / "supervisord.out").open("wb") as output:
        supervisord = subprocess.Popen(  # noqa: S603 - our own command line
            supervision.command(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # so that Ctrl-C reaches only the runner, which stops the programs in order
        )
    try:
        yield supervisord
    finally:
        _stop(folder, supervisord, grace)
        _clear(folder, programs)


def _stop(folder: DataFolder, supervisord: subprocess.Popen[bytes], grace: float) -> None:
    supervisord.terminate()
    deadline = time.monotonic() + grace
    with closing(Supervisor(folder)) as supervisor:
        while supervisord.poll() is None and time.monotonic() < deadline:
            supervisor.wake()
            time.sleep(0.05)
    if supervisord.poll() is None:
        say("some programs did not stop in time and are killed")
        supervisord.kill()
        supervisord.wait()
    end_all(folder.pids, folder.path, grace=0)


def _clear(folder: DataFolder, programs: Sequence[Program]) -> None:
    for program in programs:
        for path in program.stale_sockets:
            path.unlink(missing_ok=True)
    folder.socket("supervisor").unlink(missing_ok=True)
    folder.remove_socket_folder()
    for file in (folder.run / "parts").iterdir():
        file.unlink()


def _start(watch: Watch, stop: StopRequests) -> bool:
    """Wait until every program is ready, and print each. Returns False if asked to stop in the meantime."""
    say(f"starting {len(watch.waiting)} programs")
    began = time.monotonic()
    while watch.waiting:
        for program in watch.newly_ready():
            say(f"  {program.name:<16}ready after {time.monotonic() - began:4.1f} s", GREEN)
        _check_progress(watch, time.monotonic() - began)
        if stop.wait(PROBE_SECONDS if watch.waiting else 0):
            return False
    return True


def _check_progress(watch: Watch, seconds: float) -> None:
    for process in watch.poll():
        program = watch.program(process.name)
        raise CannotRun(f"{program.name} keeps ending; the end of {program.log}:\n{last_lines(program.log)}")
    if seconds > START_SECONDS:
        late = ", ".join(program.name for program in watch.waiting)
        raise CannotRun(f"not ready after {START_SECONDS} s: {late}; see the logs next to {watch.waiting[0].log}")
