"""Two processes write to the same rooms at once."""

import asyncio
import random

import pytest
from sqlalchemy import make_url

from shared.contracts.rooms import Accepted, AnyCommand
from shared.database.engine import MysqlEngine
from shared.ids import new_id
from shared.testing.fixtures import on_each_database, on_servers

from .conftest import OpenProcess, RoomsDriver

A, B, C = (new_id() for _ in range(3))


@on_servers
async def test_concurrent_writes_to_one_room_all_succeed(driver: RoomsDriver, second_process: OpenProcess) -> None:
    room = await driver.group(A, B)
    async with second_process() as other:
        drivers = (driver, other)
        done = await asyncio.gather(
            *(drivers[n % 2].execute(*(driver.send(room, A) for _ in range(5))) for n in range(40))
        )
    assert sorted(one.seq for batch in done for one in batch) == list(range(1, 201))
    assert [event.version for event in await driver.events(room)] == list(range(1, 203))


@on_servers
async def test_concurrent_commands_of_all_kinds(driver: RoomsDriver, second_process: OpenProcess) -> None:
    rooms = [await driver.group(A, B, C) for _ in range(3)]
    await driver.execute(*(driver.send(room, A) for room in rooms))
    choose = random.Random(7)

    def command() -> AnyCommand:
        room, user = choose.choice(rooms), choose.choice((A, B, C))
        return choose.choice((
            driver.send(room, user), driver.send(room, user), driver.read(room, user, 9), driver.react(room, user, 1),
            driver.react(room, user, 1, remove=True), driver.invite(room, user, *choose.sample((A, B, C), 2)),
            driver.leave(room, C), driver.mute(room, user, choose.random() < 0.5), driver.edit(room, A, 1, new_id()),
        ))  # fmt: skip

    async with second_process() as other:
        batches = [[command() for _ in range(6)] for _ in range(40)]
        results = await asyncio.gather(*((driver, other)[n % 2].batch(*batch) for n, batch in enumerate(batches)))
    rejected = [one for batch in results for one in batch if not isinstance(one, Accepted)]
    assert {one.code for one in rejected} <= {"not_found"}
    assert len(rejected) < 120, "most of the 240 commands must be accepted"
    for room in rooms:
        events = await driver.events(room)
        assert [event.version for event in events] == list(range(1, len(events) + 1))
    counted = await driver.rows("SELECT id, member_count FROM room ORDER BY id")
    present = "SELECT room_id, COUNT(*) FROM member WHERE left_version IS NULL GROUP BY room_id ORDER BY room_id"
    assert await driver.rows(present) == counted
    reacted = await driver.rows("SELECT SUM(reaction_count) FROM message UNION ALL SELECT COUNT(*) FROM reaction")
    assert reacted[0] == reacted[1]


@on_servers
async def test_a_duplicate_in_another_process_gets_the_first_result(
    driver: RoomsDriver, second_process: OpenProcess
) -> None:
    room = await driver.group(A)
    messages = [driver.send(room, A) for _ in range(20)]
    async with second_process() as other:
        first, second = await asyncio.gather(
            asyncio.gather(*map(driver.execute, messages)), asyncio.gather(*map(other.execute, messages))
        )
    assert [one.seq for (one,) in first] == [one.seq for (one,) in second]
    assert all(one.duplicate != two.duplicate for (one,), (two,) in zip(first, second, strict=True))


@on_each_database
async def test_a_command_that_cannot_be_stored_does_not_fail_others(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    bodies = [(A, "one"), (A, "seven"), (A, "after it"), (B, "two")]
    async with driver.rejecting("seven"):
        results = await driver.batch(*(driver.send(room, user, body) for user, body in bodies))
    assert [getattr(one, "seq", None) for one in results] == [1, None, None, 2]
    assert [getattr(one, "code", None) for one in results] == [None, "unavailable", "unavailable", None]


@on_servers
async def test_an_unreachable_database_rejects_the_batch_at_once(
    driver: RoomsDriver, caplog: pytest.LogCaptureFixture
) -> None:
    room = await driver.group(A)
    engine = driver.deps.database.engine
    driver.deps.database.engine = MysqlEngine(make_url("mysql+aiomysql://x@127.0.0.1:1/x"), 1)
    results = await driver.batch(driver.send(room, A), driver.send(room, A))
    driver.deps.database.engine = engine
    assert [one.code for one in results] == ["unavailable"] * 2
    assert [record.message[:32] for record in caplog.records] == ["a batch of 2 was not committed: "]
