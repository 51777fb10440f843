"""Transactions on SQLite: complete on one thread, one writer at a time, finished even if their task is cancelled."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from shared.database.engine import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(URL.create("sqlite", database=str(tmp_path / "x.sqlite3")), pool_size=3)
    async with database.write() as db:
        await db.execute(text("CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"))
        await db.execute(text("INSERT INTO counter VALUES (1, 0), (2, 0)"))
    yield database
    await database.close()


async def number(db, which=1):
    return (await db.execute(text("SELECT n FROM counter WHERE id = :id"), {"id": which})).scalar_one()


async def add(db, which=1):
    before = await number(db, which)
    await db.execute(text("UPDATE counter SET n = :n WHERE id = :id"), {"n": before + 1, "id": which})
    return before


async def test_concurrent_writers_lose_no_update(database):
    seen = await asyncio.gather(*(database.transact(add) for _ in range(40)))
    assert sorted(seen) == list(range(40))

    async def with_block():
        async with database.write() as db:
            return await add(db)

    seen = await asyncio.gather(*(with_block() for _ in range(10)))
    assert sorted(seen) == list(range(40, 50))


@pytest.mark.parametrize("form", ["function", "block"])
async def test_an_error_rolls_back(database, form):
    async def fails(db):
        await add(db)
        raise ValueError("no")

    async def fails_in_a_block():
        async with database.write() as db:
            await fails(db)

    with pytest.raises(ValueError, match="no"):
        await (database.transact(fails) if form == "function" else fails_in_a_block())
    assert await database.snapshot(number) == 0


async def test_a_transaction_may_await_only_its_statements(database):
    async def waits(db):
        await add(db)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="nothing but its statements"):
        await database.transact(waits)
    assert await database.snapshot(number) == 0


async def test_a_snapshot_sees_one_state(database):
    async def both(db):
        first = await number(db)
        time.sleep(0.002)  # noqa: ASYNC251 - on a thread; lets writers interleave
        return first - await number(db, 2)

    async def move(db):
        await add(db)
        await add(db, 2)

    writing = asyncio.gather(*(database.transact(move) for _ in range(50)))
    assert await asyncio.gather(*(database.snapshot(both) for _ in range(20))) == [0] * 20
    await writing


@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancelled_task_waits_for_its_transaction(database, times):
    """Background jobs are cancelled repeatedly until they end."""
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def slow(db):
        await add(db)
        loop.call_soon_threadsafe(started.set)
        time.sleep(0.05)  # noqa: ASYNC251 - on a thread

    task = asyncio.create_task(database.transact(slow))
    await started.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.001)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await database.snapshot(number) == 1  # it was not interrupted: it is committed
    assert await database.transact(add) == 1


async def test_waiting_for_the_writer_times_out(database):
    database.engine.lock_timeout_s = 0.05
    async with database.write() as db:
        with pytest.raises(TimeoutError):
            await database.transact(add)
        await add(db)
    assert await database.transact(add) == 1


async def test_closing_waits_for_running_transactions(database):
    async def slow(db):
        time.sleep(0.05)  # noqa: ASYNC251 - on a thread
        await add(db)

    task = asyncio.create_task(database.transact(slow))
    await asyncio.sleep(0.01)
    await database.close()
    await task
    assert database.engine.sync_engine.pool.checkedout() == 0
