"""Statements that are compiled once return what SQLAlchemy returns, with its transactions, events and errors."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pymysql
import pytest
from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    Column,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    event,
    select,
    text,
    tuple_,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from shared.database.compiled import CompiledStatement
from shared.database.engine import Database, Db, IdColumn, run_insert, run_upsert
from shared.ids import new_id

METADATA = MetaData()
ITEM = Table(
    "item",
    METADATA,
    Column("id", IdColumn, primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(20), nullable=True),
    Column("flag", Boolean, nullable=False),
    Column("data", LargeBinary(20), nullable=True),
)
OWNERS = [new_id() for _ in range(3)]
ROWS = [
    {"id": owner, "n": n, "name": f"'%s' {n}" if n % 2 else None, "flag": n % 2 == 0, "data": bytes([n, 0, 255])}
    for owner in OWNERS
    for n in range(5)
]
BY_OWNERS = select(ITEM).where(ITEM.c.id.in_(bindparam("ids", expanding=True))).order_by(ITEM.c.id, ITEM.c.n)
BY_KEYS = (
    select(ITEM).where(tuple_(ITEM.c.id, ITEM.c.n).in_(bindparam("keys", expanding=True))).order_by(ITEM.c.id, ITEM.c.n)
)
WITH_CONSTANTS = (
    select(ITEM.c.n, ITEM.c.flag)
    .where(ITEM.c.id == bindparam("id"), ITEM.c.n.in_([1, 2, 3]), ITEM.c.name == bindparam("name"))
    .order_by(ITEM.c.n)
    .limit(2)
)


@asynccontextmanager
async def filled(url: URL) -> AsyncIterator[Database]:
    database = Database(url, pool_size=2)
    async with database.write() as db:
        await db.run_sync(METADATA.create_all)
        await run_insert(db, ITEM, ROWS)
    yield database
    await database.close()


@pytest.fixture
async def on_server(mariadb_url: URL) -> AsyncIterator[Database]:
    name = f"t{secrets.token_hex(4)}"
    command(mariadb_url, f"CREATE DATABASE {name}")
    url = mariadb_url.set(drivername="mysql+aiomysql", database=name, query={"charset": "utf8mb4"})
    async with filled(url) as database:
        yield database
    command(mariadb_url, f"DROP DATABASE {name}")


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    async with filled(URL.create("sqlite", database=str(tmp_path / "x.sqlite3"))) as database:
        yield database


@pytest.fixture(params=["on_sqlite", "on_server"])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(request.param)
    return found


def command(url: URL, statement: str) -> None:
    address = {"host": url.host or "127.0.0.1", "port": url.port or 3306}
    with closing(pymysql.connect(**address, user=url.username, password=url.password or "")) as connection:
        connection.cursor().execute(statement)


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        *((BY_OWNERS, {"ids": OWNERS[:count]}) for count in range(4)),
        *((BY_KEYS, {"keys": [(owner, n) for owner in OWNERS for n in range(count)]}) for count in range(6)),
        (WITH_CONSTANTS, {"id": OWNERS[0], "name": "'%s' 3"}),
        (WITH_CONSTANTS, {"id": OWNERS[0], "name": None}),
    ],
)
async def test_rows_equal_those_of_sqlalchemy(database, statement, parameters):
    async def read(db: Db):
        fetched = await db.fetch(CompiledStatement(statement), parameters)
        return [tuple(row) for row in fetched], [tuple(row) for row in await db.execute(statement, parameters)]

    fetched, wanted = await database.transact(read)
    assert fetched == wanted
    assert repr(fetched) == repr(wanted), "of the same types"


async def test_lists_of_any_length_share_a_few_texts(database):
    statement, texts = CompiledStatement(BY_KEYS), set[str]()

    async def read(db: Db):
        for count in range(1, 100):
            parameters = {"keys": [(OWNERS[1], n) for n in range(count)]}
            assert len(await db.fetch(statement, parameters)) == min(count, 5)
            texts.add(statement.text_for(db.dialect, parameters).sql)

    await database.transact(read)
    assert len(texts) == len([1, 2, 4, 8, 16, 32, 64, 128])


async def test_an_upsert_changes_what_exists(database):
    rows = [{"id": OWNERS[0], "n": n, "name": "new", "flag": True} for n in (4, 5)]

    async def write(db: Db):
        await run_upsert(db, ITEM, rows, replace=("name",))
        return await db.fetch(CompiledStatement(BY_KEYS), {"keys": [(OWNERS[0], 3), (OWNERS[0], 4), (OWNERS[0], 5)]})

    found = await database.transact(write)
    assert [(row[1], row[2], row[3]) for row in found] == [(3, "'%s' 3", False), (4, "new", True), (5, "new", True)]


@pytest.mark.parametrize("form", ["function", "block"])
async def test_statements_roll_back_with_their_transaction(database, form):
    async def fails(db: Db):
        await run_insert(db, ITEM, [{**ROWS[0], "n": 9}])
        raise ValueError("no")

    async def fails_in_a_block():
        async with database.write() as db:
            await fails(db)

    with pytest.raises(ValueError, match="no"):
        await (database.transact(fails) if form == "function" else fails_in_a_block())
    async with database.read() as db:
        assert len(await db.fetch(CompiledStatement(BY_OWNERS), {"ids": OWNERS})) == len(ROWS)


async def test_a_snapshot_of_a_server_sees_one_state(on_server):
    statement, began, written = CompiledStatement(BY_OWNERS), asyncio.Event(), asyncio.Event()

    async def read_twice(db: Db):
        before = await db.fetch(statement, {"ids": OWNERS})
        began.set()
        await written.wait()
        return len(before), len(await db.fetch(statement, {"ids": OWNERS}))

    reading = asyncio.create_task(on_server.snapshot(read_twice))
    await began.wait()
    async with on_server.write() as db:
        await run_insert(db, ITEM, [{**ROWS[0], "n": 9}])
    written.set()
    assert await reading == (len(ROWS), len(ROWS))


async def test_errors_are_those_of_sqlalchemy_without_values(database):
    async def insert_again(db: Db):
        await run_insert(db, ITEM, [{**ROWS[0], "name": "a secret"}])

    with pytest.raises(IntegrityError) as caught:
        await database.transact(insert_again)
    assert "INSERT INTO item" in str(caught.value)
    assert "a secret" not in str(caught.value).replace(str(caught.value.orig), "")

    async def misses_a_column(db: Db):
        await db.fetch(CompiledStatement(select(ITEM.c.n, text("nothing")).limit(1)), {})

    with pytest.raises(DBAPIError):
        await database.transact(misses_a_column)
    assert await database.transact(count_rows) == len(ROWS)


async def count_rows(db: Db) -> int:
    return len(await db.fetch(CompiledStatement(BY_OWNERS), {"ids": OWNERS}))


async def test_events_of_sqlalchemy_see_each_statement(database):
    seen = []
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *given: seen.append((given[2], given[5])))
    await database.transact(count_rows)
    async with database.write() as db:
        await run_insert(db, ITEM, [{**ROWS[0], "n": n} for n in (9, 10)])
    statements = [(statement.split()[0], is_many) for statement, is_many in seen if not statement.startswith("BEGIN")]
    assert statements == [("SELECT", False), ("INSERT", True)]


async def test_a_lost_connection_leaves_the_pool(on_server):

    async def kill_own(db: Db):
        await db.fetch(CompiledStatement(text("KILL CONNECTION_ID()")), {})

    with pytest.raises(OperationalError) as caught:
        await on_server.transact(kill_own)
    assert caught.value.connection_invalidated
    assert await on_server.transact(count_rows) == len(ROWS)


async def test_a_cancelled_statement_does_not_spoil_its_connection(on_server):
    started = asyncio.Event()

    async def sleeps(db: Db):
        started.set()
        await db.fetch(CompiledStatement(text("SELECT SLEEP(30)")), {})

    for _ in range(on_server.pool_size + 1):
        started.clear()
        task = asyncio.create_task(on_server.transact(sleeps))
        await started.wait()
        await asyncio.sleep(0.02)  # until the statement is on its way
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await on_server.transact(count_rows) == len(ROWS)
