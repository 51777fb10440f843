"""The database of a service: engine, transactions, and the few statements that differ between engines."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import lru_cache
from typing import Any, Protocol, TypeAlias, TypeVar

from sqlalchemy import URL, CursorResult, Engine, Executable, LargeBinary, Table, bindparam, insert, text
from sqlalchemy.dialects.mysql import BINARY
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import SQLModel

from shared.budgets import DATABASE_S, TRANSACTION_S
from shared.database import compiled
from shared.database.compiled import CompiledStatement, Parameters, Row
from shared.database.pool_metrics import waited, watch_pool
from shared.database.sqlite import SqliteEngine
from shared.ids import id_bytes, id_text

T = TypeVar("T")

LOCK_WAIT_S = 60
_LOCK_WAIT = f"SET SESSION innodb_lock_wait_timeout = {DATABASE_S:.0f}"


class Db(Protocol):
    """The statements of one transaction."""

    @property
    def dialect(self) -> Dialect: ...

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[*tuple[Any, ...]]: ...

    async def fetch(self, statement: CompiledStatement, parameters: Parameters, /) -> list[Row]:
        """Return all rows of a statement that is compiled once."""

    async def run(self, statement: CompiledStatement, rows: Sequence[Parameters], /) -> None:
        """Run a statement that is compiled once for each of these parameters, which have the same names."""

    async def run_sync(self, work: Callable[..., T], /, *arguments: Any) -> T: ...


Transaction: TypeAlias = Callable[[Db], Awaitable[T]]


class IdColumn(TypeDecorator[str]):
    """A column for ids: text in Python, 16 bytes in the table."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(BINARY(16) if dialect.name in {"mysql", "mariadb"} else LargeBinary(16))

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], bytes | None]:  # noqa: ARG002
        return _to_column

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[bytes | None], str | None]:  # noqa: ARG002
        return _from_column


def _to_column(value: str | None) -> bytes | None:
    return None if value is None else id_bytes(value)


def _from_column(value: bytes | None) -> str | None:
    return None if value is None else id_text(value)


def table_of(model: type[SQLModel]) -> Table:
    table = model.__table__  # type: ignore[attr-defined]
    assert isinstance(table, Table)
    return table


class Database:
    """Transactions over one engine.

    `transact` and `snapshot` take a transaction as a function, which may await nothing but its statements. `write` and
    `read` are for rare transactions: on SQLite each of their statements is a switch to a thread.
    """

    def __init__(self, url: URL, *, pool_size: int = 8) -> None:
        self.pool_size = pool_size
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.engine = SqliteEngine(url, pool_size) if self.is_sqlite else MysqlEngine(url, pool_size)
        watch_pool(self.engine.sync_engine, pool_size)

    async def transact(self, work: Transaction[T], *, repeats: int = 2) -> T:
        """Run `work`, commit, and return its result. READ COMMITTED. Repeated after a deadlock or a lock timeout."""
        for _ in range(repeats):
            try:
                return await self.engine.transact(work)
            except OperationalError as error:
                if not is_contention(error):
                    raise
        return await self.engine.transact(work)

    async def snapshot(self, work: Transaction[T]) -> T:
        """Return the result of `work`, whose statements all see one snapshot of the database."""
        return await self.engine.snapshot(work)

    def write(self) -> AbstractAsyncContextManager[Db]:
        """A writing transaction that commits when its block ends and rolls back when it raises."""
        return self.engine.write()

    def read(self) -> AbstractAsyncContextManager[Db]:
        """A reading transaction. On MySQL its statements may see different commits."""
        return self.engine.read()

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """A lock between all processes; raises TimeoutError after a minute."""
        return self.engine.lock(name)

    async def ping(self) -> None:
        async with self.read() as db:
            await db.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()


class MysqlStatements:
    """The statements of a transaction on a server."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection, self.dialect = connection, connection.dialect
        self.execute, self.run_sync = connection.execute, connection.run_sync

    async def fetch(self, statement: CompiledStatement, parameters: Parameters) -> list[Row]:
        return await self._connection.run_sync(compiled.fetch, statement, parameters)

    async def run(self, statement: CompiledStatement, rows: Sequence[Parameters]) -> None:
        await self._connection.run_sync(compiled.run, statement, rows)


class MysqlEngine:
    def __init__(self, url: URL, pool_size: int) -> None:
        self._engine = _mysql(url, pool_size)
        self.sync_engine: Engine = self._engine.sync_engine
        self.dispose = self._engine.dispose

    async def transact(self, work: Transaction[T]) -> T:
        async with asyncio.timeout(TRANSACTION_S), self.write() as db:
            return await work(db)

    async def snapshot(self, work: Transaction[T]) -> T:
        async with asyncio.timeout(TRANSACTION_S), waited(self._engine.connect()) as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            return await work(MysqlStatements(connection))

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        lock = {"name": f"{self._engine.url.database}.{name}", "seconds": LOCK_WAIT_S}
        async with self._engine.connect() as db:
            if (await db.execute(text("SELECT GET_LOCK(:name, :seconds)"), lock)).scalar() != 1:
                raise TimeoutError(f"another process holds {lock['name']}")
            try:
                yield
            finally:
                await db.execute(text("SELECT RELEASE_LOCK(:name)"), lock)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Db]:
        async with waited(self._engine.begin()) as connection:
            yield MysqlStatements(connection)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Db]:
        async with waited(self._engine.connect()) as connection:
            yield MysqlStatements(connection)


def _tls(url: URL) -> dict[str, Any]:
    """Return arguments for the driver if the URL has authorities (`ssl_ca`, in PEM)."""
    authorities = url.query.get("ssl_ca")
    if authorities is None:
        return {}
    from shared.database.mysql_tls import connect_encrypted  # noqa: PLC0415 - imports the driver, which SQLite does not need

    return {"ssl": ssl.create_default_context(cadata=str(authorities)), "async_creator_fn": connect_encrypted}


def _mysql(url: URL, pool_size: int) -> AsyncEngine:
    return create_async_engine(
        url.difference_update_query(["ssl_ca"]),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=DATABASE_S,
        pool_pre_ping=True,
        pool_recycle=300,
        isolation_level="READ COMMITTED",
        connect_args={"connect_timeout": DATABASE_S, "init_command": _LOCK_WAIT} | _tls(url),
    )


def is_contention(error: BaseException) -> bool:
    """Return whether the transaction failed because of a lock (deadlock, lock wait, busy) and may be repeated."""
    if not isinstance(error, OperationalError) or error.orig is None:
        return False
    code = error.orig.args[0] if error.orig.args else None
    return code in {1205, 1213, 1020} or "database is locked" in str(error.orig)


DATABASE_OUTAGES = (OperationalError, InterfaceError, PoolTimeout, TimeoutError)
"""Errors of a request while the database is down, overloaded or locked."""

UNREACHABLE = (DBAPIError, PoolTimeout, TimeoutError, OSError)
"""All errors of a database that is down, overloaded or locked."""


@lru_cache(maxsize=256)
def upsert(
    dialect: str,
    table: Table,
    columns: tuple[str, ...],
    replace: tuple[str, ...] = (),
    greatest: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
) -> CompiledStatement:
    """Return an INSERT of `columns` that updates existing rows.

    If the primary key exists, columns in `replace` get the new value, those in `greatest` the larger one, those in
    `add` the sum; without any of them the existing row stays.

    The statement is cached. Run it with a list of dictionaries, which the MySQL driver sends as one statement.
    """
    # all names come from a Table, so nothing needs escaping
    head = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join(f':{c}' for c in columns)})"  # noqa: S608
    if dialect == "sqlite":
        key = ", ".join(c.name for c in table.primary_key)
        sets = [f"{c} = excluded.{c}" for c in replace] + [f"{c} = max({c}, excluded.{c})" for c in greatest]
        sets += [f"{c} = {c} + excluded.{c}" for c in add]
        tail = f"ON CONFLICT ({key}) DO " + (f"UPDATE SET {', '.join(sets)}" if sets else "NOTHING")
    else:  # VALUES(c) is deprecated on MySQL, but the driver sends statements with the newer form, an alias, row by row
        sets = [f"{c} = VALUES({c})" for c in replace] + [f"{c} = GREATEST({c}, VALUES({c}))" for c in greatest]
        sets += [f"{c} = {c} + VALUES({c})" for c in add]
        first = next(iter(table.primary_key)).name
        tail = f"ON DUPLICATE KEY UPDATE {', '.join(sets) or f'{first} = {first}'}"
    statement = text(f"{head} {tail}").bindparams(*(bindparam(c, type_=table.c[c].type) for c in columns))
    return CompiledStatement(statement)


@lru_cache(maxsize=256)
def _insert(table: Table, columns: tuple[str, ...]) -> CompiledStatement:
    return CompiledStatement(insert(table).inline(), columns)


async def run_insert(db: Db, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert all rows with one statement. All must have the same keys, and no column a default in Python."""
    if rows:
        await db.run(_insert(table, tuple(rows[0])), rows)


async def run_upsert(
    db: Db,
    table: Table,
    rows: Sequence[dict[str, Any]],
    *,
    replace: Sequence[str] = (),
    greatest: Sequence[str] = (),
    add: Sequence[str] = (),
) -> None:
    """Upsert all rows with one statement. All must have the same keys."""
    if rows:
        statement = upsert(db.dialect.name, table, tuple(rows[0]), tuple(replace), tuple(greatest), tuple(add))
        await db.run(statement, rows)
