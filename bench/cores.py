"""CPU affinity: the load generator has one core to itself, all servers share the other.

This way the load takes no time from the servers, as if it ran on another machine. With one core, or if pinning is not
permitted, nothing is pinned.
"""

import os
import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

SOCKETS = 65_536
OWN_FILES = 500
"""Files that a process opens besides its connections, at most."""

Cores = frozenset[int]

_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
"""The cores at the start; later this process sees only its own."""
SERVING: Cores = frozenset(_CORES[:1] if len(_CORES) > 1 else ())
LOADING: Cores = frozenset(_CORES[1:2])
TWO: Cores = frozenset(_CORES[:2] if len(_CORES) > 1 else ())
THIRD: Cores = frozenset(_CORES[2:3])
"""The load's core while servers use two. Empty sets mean that nothing is pinned."""


_pins = [True]


def leave_unpinned() -> None:
    """Let every process use every core from now on, for quick runs whose figures mean nothing."""
    _pins[:] = [False]


def is_pinning() -> bool:
    return _pins[0] and bool(LOADING)


@contextmanager
def pinned(cores: Cores) -> Iterator[None]:
    """Start processes on `cores` within the block. Afterwards this process returns to its own cores."""
    if not cores or not _pins[0]:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(cores: Cores) -> None:
    if cores and _pins[0]:
        os.sched_setaffinity(0, cores)


def move(pids: Iterable[int], cores: Cores) -> None:
    """Move running processes, their children and all of their threads to `cores`."""
    if not cores or not _pins[0]:
        return
    for pid in pids:
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            for task in Path(f"/proc/{process.pid}/task").iterdir():
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(int(task.name), cores)


def allow_sockets() -> int:
    """Raise the limit of open files as far as permitted, and return it. Child processes inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # only a privileged process may raise the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (SOCKETS, max(SOCKETS, hard)))
        return SOCKETS
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(SOCKETS, hard)), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
