"""Batches that arrive while others are under way go together in the next transaction."""

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy import text

from rooms.service import commands
from shared.contracts.rooms import Done, Refused
from shared.service.ids import new_id

A, B = new_id(), new_id()


def inserts(statements: list[str]) -> int:
    """In how many transactions messages were stored."""
    return len([one for one in statements if one.startswith("INSERT INTO message ")])


async def test_what_arrives_meanwhile_goes_together(house: Any) -> None:
    rooms = [await house.group(A) for _ in range(10)]
    async with house.counting() as statements:
        done = await asyncio.gather(*(house.do(house.say(room, A), house.say(room, A)) for room in rooms))
    assert inserts(statements) <= 5
    assert [[one.seq for one in batch] for batch in done] == [[1, 2]] * 10


async def test_a_group_is_bounded(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.service.committing.GROUP_WEIGHT", 4)
    room = await house.group(A)
    async with house.counting() as statements:
        await asyncio.gather(*(house.do(house.say(room, A), house.say(room, A)) for _ in range(20)))
    assert inserts(statements) >= 10


async def test_one_batch_that_cannot_be_stored_spoils_no_other(house: Any) -> None:
    room, other = await house.group(A), await house.group(A)
    async with house.parts.database.write() as db:
        if house.parts.database.is_sqlite:
            await db.execute(
                text(
                    "CREATE TRIGGER no_seven BEFORE INSERT ON message WHEN NEW.body = 'seven' "
                    "BEGIN SELECT RAISE(ABORT, 'no'); END"
                )
            )
        else:
            await db.execute(text("ALTER TABLE message ADD CONSTRAINT no_seven CHECK (body <> 'seven')"))
    batches = [[house.say(other, A)] if n % 3 else [house.say(room, A, "seven")] for n in range(12)]
    results = await asyncio.gather(*(house.batch(*batch) for batch in batches))
    assert [isinstance(one, Done) for (one,) in results] == [bool(n % 3) for n in range(12)]


async def test_one_batch_out_of_time_takes_no_other_along(house: Any) -> None:
    room = await house.group(A)
    now = time.monotonic()
    batches = [(house.say(room, A), now - 1 if n % 3 == 0 else now + 20) for n in range(12)]
    done = await asyncio.gather(*(commands.execute(house.parts, [one], deadline) for one, deadline in batches))
    assert [isinstance(one.results[0], Refused) for one in done] == [n % 3 == 0 for n in range(12)]


async def test_a_repeat_in_the_same_transaction(house: Any) -> None:
    room = await house.group(A)
    message = house.say(room, A)
    done = [one for batch in await asyncio.gather(*(house.do(message) for _ in range(9))) for one in batch]
    assert {one.seq for one in done} == {1}
    assert [one.duplicate for one in done].count(False) == 1


async def test_auth_away_for_one_is_not_away_for_the_others(house: Any) -> None:
    room, other = await house.group(A), await house.group(A)
    house.auth.away = True
    results = await asyncio.gather(
        *(house.batch(house.invite(room, A, B)) for _ in range(3)),
        *(house.batch(house.say(other, A)) for _ in range(9)),
    )
    assert [isinstance(one, Done) for (one,) in results] == [False] * 3 + [True] * 9


async def test_more_waits_than_may(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.service.committing.MAX_WAITING", 5)
    room = await house.group(A)
    results = await asyncio.gather(*(house.batch(house.say(room, A)) for _ in range(30)))
    refused = [one for (one,) in results if isinstance(one, Refused)]
    assert {one.code for one in refused} == {"unavailable"}
    assert 0 < len(refused) < 30
