"""Two processes write to the same rooms at once."""

import asyncio
import random
from typing import Any

import pytest
from sqlalchemy import make_url

from shared.contracts.rooms import Accepted
from shared.database.engine import MysqlEngine
from shared.ids import new_id
from shared.testing.fixtures import on_each_database, on_servers

A, B, C = (new_id() for _ in range(3))


@on_servers
async def test_one_hot_room_refuses_nobody(house: Any, second_house: Any) -> None:
    room = await house.group(A, B)
    async with second_house() as other:
        houses = (house, other)
        done = await asyncio.gather(*(houses[n % 2].do(*(house.say(room, A) for _ in range(5))) for n in range(40)))
    assert sorted(one.seq for batch in done for one in batch) == list(range(1, 201))
    assert [event.version for event in await house.events(room)] == list(range(1, 203))


@on_servers
async def test_everything_at_once_in_several_rooms(house: Any, second_house: Any) -> None:
    rooms = [await house.group(A, B, C) for _ in range(3)]
    await house.do(*(house.say(room, A) for room in rooms))
    choose = random.Random(7)

    def command() -> Any:
        room, user = choose.choice(rooms), choose.choice((A, B, C))
        return choose.choice((
            house.say(room, user), house.say(room, user), house.read(room, user, 9), house.react(room, user, 1),
            house.react(room, user, 1, remove=True), house.invite(room, user, *choose.sample((A, B, C), 2)),
            house.leave(room, C), house.mute(room, user, choose.random() < 0.5), house.edit(room, A, 1, new_id()),
        ))  # fmt: skip

    async with second_house() as other:
        batches = [[command() for _ in range(6)] for _ in range(40)]
        results = await asyncio.gather(*((house, other)[n % 2].batch(*batch) for n, batch in enumerate(batches)))
    refused = [one for batch in results for one in batch if not isinstance(one, Accepted)]
    assert {one.code for one in refused} <= {"not_found"}
    assert len(refused) < 120, "most of the 240 commands are to meet each other"
    for room in rooms:
        events = await house.events(room)
        assert [event.version for event in events] == list(range(1, len(events) + 1))
    counted = await house.rows("SELECT id, member_count FROM room ORDER BY id")
    present = "SELECT room_id, COUNT(*) FROM member WHERE left_version IS NULL GROUP BY room_id ORDER BY room_id"
    assert await house.rows(present) == counted
    reacted = await house.rows("SELECT SUM(reaction_count) FROM message UNION ALL SELECT COUNT(*) FROM reaction")
    assert reacted[0] == reacted[1]


@on_servers
async def test_a_repeat_on_another_process_gets_the_first_answer(house: Any, second_house: Any) -> None:
    room = await house.group(A)
    messages = [house.say(room, A) for _ in range(20)]
    async with second_house() as other:
        first, second = await asyncio.gather(
            asyncio.gather(*map(house.do, messages)), asyncio.gather(*map(other.do, messages))
        )
    assert [one.seq for (one,) in first] == [one.seq for (one,) in second]
    assert all(one.duplicate != two.duplicate for (one,), (two,) in zip(first, second, strict=True))


@on_each_database
async def test_a_command_that_cannot_be_stored_spoils_no_other(house: Any) -> None:
    room = await house.group(A, B)
    bodies = [(A, "one"), (A, "seven"), (A, "after it"), (B, "two")]
    async with house.refusing("seven"):
        results = await house.batch(*(house.say(room, user, body) for user, body in bodies))
    assert [getattr(one, "seq", None) for one in results] == [1, None, None, 2]
    assert [getattr(one, "code", None) for one in results] == [None, "unavailable", "unavailable", None]


@on_servers
async def test_a_database_that_is_away_refuses_the_batch_at_once(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    room = await house.group(A)
    engine = house.deps.database.engine
    house.deps.database.engine = MysqlEngine(make_url("mysql+aiomysql://x@127.0.0.1:1/x"), 1)
    results = await house.batch(house.say(room, A), house.say(room, A))
    house.deps.database.engine = engine
    assert [one.code for one in results] == ["unavailable"] * 2
    assert [record.message[:32] for record in caplog.records] == ["a batch of 2 was not committed: "]
