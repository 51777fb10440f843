"""CPU affinity: the load generator has one core to itself, all servers share the other.

This way the load takes no time from the servers, as if it ran on another machine. With one core, or if pinning is not
permitted, nothing is pinned.
"""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

SOCKETS = 8192


_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
"""The cores at the start; later this process sees only its own."""
SERVING, LOADING = (_CORES[0], _CORES[1]) if len(_CORES) > 1 else (None, None)


_pins = [True]


def leave_unpinned() -> None:
    """Let every process use every core from now on, for quick runs whose figures mean nothing."""
    _pins[:] = [False]


def is_pinning() -> bool:
    return _pins[0] and LOADING is not None


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Start processes on `core` within the block. Afterwards this process returns to its own cores."""
    if core is None or not _pins[0]:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(core: int | None) -> None:
    if core is not None and _pins[0]:
        os.sched_setaffinity(0, {core})


def allow_sockets() -> None:
    """Raise the limit of open files for 1,000 clients and their server. Child processes inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SOCKETS if hard == resource.RLIM_INFINITY else min(SOCKETS, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
