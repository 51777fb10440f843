"""Numbers of a service's database: its connections, and how long who wants one waits."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import perf_counter
from typing import Any, TypeVar

from sqlalchemy import Engine

from shared import metrics

T = TypeVar("T")

_IN_USE = metrics.gauge("webchat_db_connections_in_use", "Connections that transactions have.")
_SIZE = metrics.gauge("webchat_db_pool_connections", "Connections that there may be at the most.")
_WAITS = metrics.histogram(
    "webchat_db_wait_seconds", "Wait for a connection (pool), or for SQLite's one writer (writer).", ["gate"]
)
POOL_WAIT, WRITER_WAIT = _WAITS.labels("pool"), _WAITS.labels("writer")


def watch_pool(engine: Engine, size: int) -> None:
    """The pool of the process, which has one: that of the last engine made."""
    _SIZE.set(size)
    _IN_USE.set_function(lambda: _in_use(engine.pool))


def _in_use(pool: Any) -> int:
    in_use: int = pool.checkedout()
    return in_use


@asynccontextmanager
async def waited(opened: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """What a pool hands out; how long that took is told."""
    started = perf_counter()
    async with opened as connection:
        POOL_WAIT.observe(perf_counter() - started)
        yield connection
