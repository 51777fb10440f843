"""Becomes a part: `python -m embedded.launch RUN_FOLDER NAME` is started by supervisor and becomes the part's program.

It leaves the part's pid where tests and the next start find it, ends what an earlier life of the part left in its
process group (an nginx whose master was killed leaves workers that keep the port), and ties the part's life to
supervisor's.
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
    part = json.loads((run / "parts" / f"{name}.json").read_text())
    pid_file = run / "pids" / name
    end_group(pid_file, run.parent, signal.SIGKILL)
    draft = run / f"{name}.pid"
    draft.write_text(f"{os.getpid()}\n")
    draft.replace(pid_file)  # at once: who reads it while it is empty would miss the part
    _die_with_parent()
    _raise_open_files()
    _reset_signals()
    os.chdir(run)
    os.execve(part["command"][0], part["command"], part["environment"])  # noqa: S606 - the command is the runner's own


def _die_with_parent() -> None:
    """Have Linux send SIGTERM when the parent is gone, however it ended; it survives exec."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent == 1 or os.getppid() != parent:
        sys.exit("the runner is gone")


def _raise_open_files() -> None:
    """Two files for each connection: the usual soft limit of 1,024 is for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _reset_signals() -> None:
    """A shell may have ignored SIGINT, and Python ignores SIGPIPE; programs inherit that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main()
