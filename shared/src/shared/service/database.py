"""One database of one service: engine, transactions, and the few statements that differ between engines.

Writing transactions on SQLite begin with BEGIN IMMEDIATE behind one in-process lock; its driver's default lets
concurrent read-then-update transactions all read the same number.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from threading import Thread
from typing import Any, TypeAlias, TypeVar
from weakref import WeakSet

from sqlalchemy import URL, Connection, LargeBinary, Table, TextClause, bindparam, event, text
from sqlalchemy.dialects.mysql import BINARY
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import SQLModel

from shared.service.ids import id_bytes, id_text

T = TypeVar("T")

BUSY_TIMEOUT_MS = 5000
Db: TypeAlias = AsyncConnection


class IdColumn(TypeDecorator[str]):
    """An id: text in Python, 16 bytes in the table."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(BINARY(16) if dialect.name in {"mysql", "mariadb"} else LargeBinary(16))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else id_bytes(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else id_text(value)


def table_of(model: type[SQLModel]) -> Table:
    table = model.__table__  # type: ignore[attr-defined]
    assert isinstance(table, Table)
    return table


class Database:
    """Transactions over one engine. `write` commits when its block ends and rolls back when it raises."""

    def __init__(self, url: URL, *, pool_size: int = 8) -> None:
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._writer = asyncio.Lock()
        self._threads: WeakSet[Thread] = WeakSet()
        self.engine = _sqlite(url, pool_size, self._threads) if self.is_sqlite else _mysql(url, pool_size)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Db]:
        """A writing transaction, READ COMMITTED; on SQLite the only one of this process."""
        if not self.is_sqlite:
            async with self.engine.begin() as db:
                yield db
            return
        async with asyncio.timeout(BUSY_TIMEOUT_MS / 1000):
            await self._writer.acquire()
        try:
            async with self.engine.connect() as db:
                await db.execution_options(webchat_begin="BEGIN IMMEDIATE")
                async with db.begin():
                    yield db
        finally:
            self._writer.release()

    async def transact(self, work: Callable[[Db], Awaitable[T]]) -> T:
        """What `work` answers, committed; run anew, twice at most, where a lock was in the way."""
        for _ in range(2):
            try:
                async with self.write() as db:
                    return await work(db)
            except OperationalError as error:
                if not is_contention(error):
                    raise
        async with self.write() as db:
            return await work(db)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Db]:
        """A reading transaction; several statements in it may see different commits on MySQL."""
        async with self.engine.connect() as db:
            yield db

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Db]:
        """A reading transaction whose statements all see one state of the database."""
        async with self.engine.connect() as db:
            if not self.is_sqlite:
                await db.execution_options(isolation_level="REPEATABLE READ")
            yield db

    async def ping(self) -> None:
        async with self.read() as db:
            await db.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Also waits for the threads of the SQLite driver, which go on when the request they work for is cancelled."""
        await self.engine.dispose()
        for thread in list(self._threads):
            await asyncio.to_thread(thread.join, BUSY_TIMEOUT_MS / 1000)


def _sqlite(url: URL, pool_size: int, threads: WeakSet[Thread]) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=5, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        threads.add(connection.driver_connection._thread)  # noqa: SLF001 - aiosqlite has no other way to wait for it
        connection.isolation_level = None  # the driver's own BEGIN would come late and deferred
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("webchat_begin", "BEGIN"))

    return engine


def _mysql(url: URL, pool_size: int) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
        pool_recycle=300,
        isolation_level="READ COMMITTED",
        connect_args={"connect_timeout": 5, "init_command": "SET SESSION innodb_lock_wait_timeout = 3"},
    )


def is_contention(error: BaseException) -> bool:
    """Whether the transaction failed for a lock (deadlock, lock wait, busy) and may be tried again as a whole."""
    if not isinstance(error, OperationalError) or error.orig is None:
        return False
    code = error.orig.args[0] if error.orig.args else None
    return code in {1205, 1213, 1020} or "database is locked" in str(error.orig)


DATABASE_OUTAGES = (OperationalError, InterfaceError, PoolTimeout, TimeoutError)
"""What leaves a request while the database is down, full of waiters or locked."""

UNREACHABLE = (DBAPIError, PoolTimeout, TimeoutError, OSError)
"""What a database that is down, full of waiters or locked raises."""


@lru_cache(maxsize=256)
def upsert(
    dialect: str,
    table: Table,
    columns: tuple[str, ...],
    replace: tuple[str, ...] = (),
    greatest: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
) -> TextClause:
    """INSERT of `columns`; where the primary key exists, `replace` take the new value, `greatest` the larger one,
    `add` the sum. With none of them, an existing row stays as it is.

    Made once per shape; run it with a list of dictionaries, which the MySQL driver sends as one statement.
    """
    # every name here comes from a Table
    head = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join(f':{c}' for c in columns)})"  # noqa: S608
    if dialect == "sqlite":
        key = ", ".join(c.name for c in table.primary_key)
        sets = [f"{c} = excluded.{c}" for c in replace] + [f"{c} = max({c}, excluded.{c})" for c in greatest]
        sets += [f"{c} = {c} + excluded.{c}" for c in add]
        tail = f"ON CONFLICT ({key}) DO " + (f"UPDATE SET {', '.join(sets)}" if sets else "NOTHING")
    else:
        sets = [f"{c} = VALUES({c})" for c in replace] + [f"{c} = GREATEST({c}, VALUES({c}))" for c in greatest]
        sets += [f"{c} = {c} + VALUES({c})" for c in add]
        first = next(iter(table.primary_key)).name
        tail = f"ON DUPLICATE KEY UPDATE {', '.join(sets) or f'{first} = {first}'}"
    return text(f"{head} {tail}").bindparams(*(bindparam(c, type_=table.c[c].type) for c in columns))


async def run_upsert(
    db: Db,
    table: Table,
    rows: Sequence[dict[str, Any]],
    *,
    replace: Sequence[str] = (),
    greatest: Sequence[str] = (),
    add: Sequence[str] = (),
) -> None:
    """Upsert all rows with one statement; they must all have the same keys."""
    if rows:
        statement = upsert(db.dialect.name, table, tuple(rows[0]), tuple(replace), tuple(greatest), tuple(add))
        await db.execute(statement, list(rows))
