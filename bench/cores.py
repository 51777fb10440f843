"""Which core does what. The load has one to itself, all that serves shares the other.

So that the figures are those of the server and not of two programs that take each other's time; both cores of a small
machine are then used as two machines would be. With one core, or where pinning is refused, nothing is pinned.
"""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

SOCKETS = 8192


_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
"""As found at the start: later this process sees its own core alone."""
SERVING, LOADING = (_CORES[0], _CORES[1]) if len(_CORES) > 1 else (None, None)


_pins = [True]


def leave_unpinned() -> None:
    """Let every process use every core from now on: two share the work of a run whose figures mean nothing."""
    _pins[:] = [False]


def is_pinning() -> bool:
    return _pins[0] and LOADING is not None


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """What is started within the block stays on `core`; this process returns to where it was."""
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
    """As many open files as 1,000 clients and their server need; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SOCKETS if hard == resource.RLIM_INFINITY else min(SOCKETS, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
