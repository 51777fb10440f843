"""SQLite under asyncio. Statements run on threads; a transaction that is given as a function runs on one of them.

Switching to a thread and back costs more than most statements, so such a transaction switches once. Writing
transactions begin with BEGIN IMMEDIATE and hold an in-process lock: with the driver's default, concurrent
read-then-update transactions read the same state.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from time import perf_counter
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, create_engine, event

from shared.budgets import DATABASE_S
from shared.database import compiled
from shared.database.compiled import CompiledStatement, Parameters, Row
from shared.database.pool_metrics import POOL_WAIT, WRITER_WAIT
from shared.tasks import thread_result

T = TypeVar("T")
Rows: TypeAlias = CursorResult[*tuple[Any, ...]]

BUSY_TIMEOUT_MS = round(DATABASE_S * 1000)
_BEGIN = "webchat_begin"


class Statements:
    """The statements of a transaction that runs on a thread. They execute on that thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self.dialect = connection, connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None) -> Rows:
        return self._connection.execute(statement, parameters)

    async def fetch(self, statement: CompiledStatement, parameters: Parameters) -> list[Row]:
        return compiled.fetch(self._connection, statement, parameters)

    async def run(self, statement: CompiledStatement, rows: Sequence[Parameters]) -> None:
        compiled.run(self._connection, statement, rows)

    async def run_sync(self, work: Callable[..., T], *arguments: Any) -> T:
        return work(self._connection, *arguments)


class ThreadedStatements:
    """The statements of a transaction that runs on the event loop. Each switches to a thread."""

    def __init__(self, connection: Connection, threads: "Threads") -> None:
        self._connection, self._threads, self.dialect = connection, threads, connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None) -> Rows:
        def run() -> Rows:
            result = self._connection.execute(statement, parameters)
            return result.freeze()() if result.returns_rows else result  # type: ignore[return-value]

        return await self._threads.run(run)

    async def fetch(self, statement: CompiledStatement, parameters: Parameters) -> list[Row]:
        return await self._threads.run(partial(compiled.fetch, self._connection, statement, parameters))

    async def run(self, statement: CompiledStatement, rows: Sequence[Parameters]) -> None:
        await self._threads.run(partial(compiled.run, self._connection, statement, rows))

    async def run_sync(self, work: Callable[..., T], *arguments: Any) -> T:
        return await self._threads.run(partial(work, self._connection, *arguments))


class Threads:
    """A bounded pool of threads; work waits for a free one."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="sqlite")

    async def run(self, work: Callable[[], T]) -> T:
        """Run work on a thread. A cancelled task still waits for its end, because it uses the connection.

        The work runs in the task's context, so that its events and log lines belong to the task's trace.
        """
        loop = asyncio.get_running_loop()
        return await thread_result(loop.run_in_executor(self._pool, copy_context().run, work))

    async def join(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)


class SqliteEngine:
    def __init__(self, url: URL, pool_size: int) -> None:
        self.sync_engine = _engine(url, pool_size)
        self._threads = Threads(pool_size)
        self._writer = asyncio.Lock()
        self._connections = asyncio.Semaphore(pool_size)
        self.lock_timeout_s = BUSY_TIMEOUT_MS / 1000

    async def transact(self, work: Callable[[Statements], Awaitable[T]]) -> T:
        """Run `work`, which may await only its statements. Raises TimeoutError if other writers take too long."""
        async with self._acquired(self._writer):
            return await self._run_whole("BEGIN IMMEDIATE", work)

    async def snapshot(self, work: Callable[[Statements], Awaitable[T]]) -> T:
        return await self._run_whole("BEGIN", work)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[ThreadedStatements]:
        async with self._acquired(self._writer), self._connected("BEGIN IMMEDIATE") as connection:
            transaction = await self._threads.run(connection.begin)
            try:
                yield ThreadedStatements(connection, self._threads)
            except BaseException:
                await self._threads.run(transaction.rollback)
                raise
            await self._threads.run(transaction.commit)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """A no-op: an SQLite file has one process."""
        del name
        yield

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ThreadedStatements]:
        async with self._connected("BEGIN") as connection:
            yield ThreadedStatements(connection, self._threads)

    async def dispose(self) -> None:
        """Close the connections and wait for the threads, which continue after their request was cancelled."""
        self.sync_engine.dispose()
        await self._threads.join()

    async def _run_whole(self, begin: str, work: Callable[[Statements], Awaitable[T]]) -> T:
        async with self._acquired(self._connections):
            return await self._threads.run(partial(self._run, begin, work))

    def _run(self, begin: str, work: Callable[[Statements], Awaitable[T]]) -> T:
        with self.sync_engine.connect().execution_options(**{_BEGIN: begin}) as connection, connection.begin():
            return _drive(work(Statements(connection)))

    @asynccontextmanager
    async def _connected(self, begin: str) -> AsyncIterator[Connection]:
        async with self._acquired(self._connections):
            connection = await self._threads.run(self.sync_engine.connect)
            try:
                yield connection.execution_options(**{_BEGIN: begin})
            finally:
                await self._threads.run(connection.close)

    @asynccontextmanager
    async def _acquired(self, lock: asyncio.Lock | asyncio.Semaphore) -> AsyncIterator[None]:
        started = perf_counter()
        async with asyncio.timeout(self.lock_timeout_s):
            await lock.acquire()
        (WRITER_WAIT if lock is self._writer else POOL_WAIT).observe(perf_counter() - started)
        try:
            yield
        finally:
            lock.release()


def _drive(work: Awaitable[T]) -> T:
    """Return the result of a coroutine that never suspends."""
    try:
        work.__await__().send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    raise RuntimeError("a transaction may await nothing but its statements")


def _engine(url: URL, pool_size: int) -> Engine:
    engine = create_engine(
        url.set(drivername="sqlite"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=BUSY_TIMEOUT_MS / 1000,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver's own BEGIN would come late and deferred
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine
