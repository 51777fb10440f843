"""The launcher: supervisor starts `python -m embedded.launch RUN_FOLDER NAME`, which executes the named program.

Before that it records the pid for tests and for the next start, kills the remaining processes of the program's previous
process group (workers of a killed nginx master keep the port), and makes the program end together with supervisor.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path

from embedded.processes import end_group

PR_SET_PDEATHSIG = 1
OPEN_FILES = 65_536


def main() -> None:
    run, name = Path(sys.argv[1]), sys.argv[2]
    program = json.loads((run / "parts" / f"{name}.json").read_text())
    pid_file = run / "pids" / name
    end_group(pid_file, run.parent, signal.SIGKILL)
    draft = run / f"{name}.pid"
    draft.write_text(f"{os.getpid()}\n")
    draft.replace(pid_file)  # atomically: a reader of an empty file would miss the program
    _die_with_parent()
    _raise_open_files()
    _reset_signals()
    os.chdir(run)
    os.execve(program["command"][0], program["command"], program["environment"])  # noqa: S606 - the runner's command


def _die_with_parent() -> None:
    """Have Linux send SIGTERM when the parent ends for any reason. The setting survives exec."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent == 1 or os.getppid() != parent:
        sys.exit("the runner has ended")


def _raise_open_files() -> None:
    """Raise the soft limit of open files: a connection needs two, and the usual limit of 1,024 is for select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _reset_signals() -> None:
    """Restore the default handlers. Programs inherit a SIGINT ignored by a shell and the SIGPIPE ignored by Python."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main()
