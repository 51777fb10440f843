"""Metrics of a database: connections in use, and the wait for one."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import perf_counter
from typing import Any, TypeVar

from sqlalchemy import Engine

from shared import metrics

T = TypeVar("T")

_IN_USE = metrics.gauge("webchat_db_connections_in_use", "Connections that transactions use.")
_SIZE = metrics.gauge("webchat_db_pool_connections", "Size of the connection pool.")
_WAITS = metrics.histogram(
    "webchat_db_wait_seconds", "Wait for a connection (pool), or for SQLite's one writer (writer).", ["gate"]
)
POOL_WAIT, WRITER_WAIT = _WAITS.labels("pool"), _WAITS.labels("writer")


def watch_pool(engine: Engine, size: int) -> None:
    """Report the pool of this engine. A process has one; a later call replaces it."""
    _SIZE.set(size)
    _IN_USE.set_function(lambda: _in_use(engine.pool))


def _in_use(pool: Any) -> int:
    in_use: int = pool.checkedout()
    return in_use


@asynccontextmanager
async def waited(opened: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Enter a connection and observe how long the pool took."""
    started = perf_counter()
    async with opened as connection:
        POOL_WAIT.observe(perf_counter() - started)
        yield connection
