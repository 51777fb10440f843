"""SQLite under asyncio: statements run on threads, and a transaction given as a function runs whole on one of them.

A hop to a thread and back costs more than most statements, so a transaction takes one, not one for each of them.
Writing transactions begin with BEGIN IMMEDIATE behind one in-process lock; the driver's default lets concurrent
read-then-update transactions all read the same number.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from functools import partial
from time import perf_counter
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, create_engine, event

from shared.database.pool_metrics import POOL_WAIT, WRITER_WAIT

T = TypeVar("T")
Rows: TypeAlias = CursorResult[*tuple[Any, ...]]

BUSY_TIMEOUT_MS = 5000
_BEGIN = "webchat_begin"


class Statements:
    """A transaction's statements, each run at once on the thread that this one is on."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self.dialect = connection, connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None) -> Rows:
        return self._connection.execute(statement, parameters)

    async def run_sync(self, work: Callable[..., T], *arguments: Any) -> T:
        return work(self._connection, *arguments)


class HoppingStatements:
    """The same from the event loop: each statement runs on a thread."""

    def __init__(self, connection: Connection, threads: "Threads") -> None:
        self._connection, self._threads, self.dialect = connection, threads, connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None) -> Rows:
        def run() -> Rows:
            result = self._connection.execute(statement, parameters)
            return result.freeze()() if result.returns_rows else result  # type: ignore[return-value]

        return await self._threads.run(run)

    async def run_sync(self, work: Callable[..., T], *arguments: Any) -> T:
        return await self._threads.run(partial(work, self._connection, *arguments))


class Threads:
    """Bounded; work waits for a free one."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="sqlite")

    async def run(self, work: Callable[[], T]) -> T:
        """Run work on a thread. A task cancelled meanwhile, however often, waits for its end: it uses the connection.

        The work knows the task's context, so that what it records and logs tells of its trace.
        """
        done = asyncio.get_running_loop().run_in_executor(self._pool, copy_context().run, work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            while not done.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([done])
            raise

    async def join(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)


class SqliteEngine:
    def __init__(self, url: URL, pool_size: int) -> None:
        self.sync_engine = _engine(url, pool_size)
        self._threads = Threads(pool_size)
        self._writer = asyncio.Lock()
        self._connections = asyncio.Semaphore(pool_size)
        self.patience_s = BUSY_TIMEOUT_MS / 1000

    async def transact(self, work: Callable[[Statements], Awaitable[T]]) -> T:
        """`work` may wait for nothing but its statements. Raises TimeoutError where others write for too long."""
        async with self._turn(self._writer):
            return await self._whole("BEGIN IMMEDIATE", work)

    async def snapshot(self, work: Callable[[Statements], Awaitable[T]]) -> T:
        return await self._whole("BEGIN", work)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[HoppingStatements]:
        async with self._turn(self._writer), self._connected("BEGIN IMMEDIATE") as connection:
            transaction = await self._threads.run(connection.begin)
            try:
                yield HoppingStatements(connection, self._threads)
            except BaseException:
                await self._threads.run(transaction.rollback)
                raise
            await self._threads.run(transaction.commit)

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[None]:
        """A file has one process."""
        del name
        yield

    @asynccontextmanager
    async def read(self) -> AsyncIterator[HoppingStatements]:
        async with self._connected("BEGIN") as connection:
            yield HoppingStatements(connection, self._threads)

    async def dispose(self) -> None:
        """Also waits for threads, which go on when the request they work for is cancelled."""
        self.sync_engine.dispose()
        await self._threads.join()

    async def _whole(self, begin: str, work: Callable[[Statements], Awaitable[T]]) -> T:
        async with self._turn(self._connections):
            return await self._threads.run(partial(self._run, begin, work))

    def _run(self, begin: str, work: Callable[[Statements], Awaitable[T]]) -> T:
        with self.sync_engine.connect().execution_options(**{_BEGIN: begin}) as connection, connection.begin():
            return _drive(work(Statements(connection)))

    @asynccontextmanager
    async def _connected(self, begin: str) -> AsyncIterator[Connection]:
        async with self._turn(self._connections):
            connection = await self._threads.run(self.sync_engine.connect)
            try:
                yield connection.execution_options(**{_BEGIN: begin})
            finally:
                await self._threads.run(connection.close)

    @asynccontextmanager
    async def _turn(self, gate: asyncio.Lock | asyncio.Semaphore) -> AsyncIterator[None]:
        started = perf_counter()
        async with asyncio.timeout(self.patience_s):
            await gate.acquire()
        (WRITER_WAIT if gate is self._writer else POOL_WAIT).observe(perf_counter() - started)
        try:
            yield
        finally:
            gate.release()


def _drive(work: Awaitable[T]) -> T:
    """The result of a coroutine that never has to wait."""
    try:
        work.__await__().send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    raise RuntimeError("a transaction waits for nothing but its own statements")


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
