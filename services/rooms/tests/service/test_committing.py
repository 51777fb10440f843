"""Batches that arrive while others are under way go together in the next transaction."""

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from rooms.consumers import on_auth, on_social
from rooms.service import commands
from shared.contracts.rooms import Accepted, Rejected
from shared.errors import Unavailable
from shared.events.auth import UserClosed
from shared.events.social import UserBlocked
from shared.ids import new_id
from shared.roomlog.stream import read_since
from shared.testing.fixtures import on_each_database

pytestmark = on_each_database
A, B, C = (new_id() for _ in range(3))


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
    batches = [[house.say(other, A)] if n % 3 else [house.say(room, A, "seven")] for n in range(12)]
    async with house.refusing("seven"):
        results = await asyncio.gather(*(house.batch(*batch) for batch in batches))
    assert [isinstance(one, Accepted) for (one,) in results] == [bool(n % 3) for n in range(12)]


async def test_one_batch_out_of_time_takes_no_other_along(house: Any) -> None:
    room = await house.group(A)
    now = time.monotonic()
    batches = [(house.say(room, A), now - 1 if n % 3 == 0 else now + 20) for n in range(12)]
    done = await asyncio.gather(*(commands.execute(house.deps, [one], deadline) for one, deadline in batches))
    assert [isinstance(one.results[0], Rejected) for one in done] == [n % 3 == 0 for n in range(12)]


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
    assert [isinstance(one, Accepted) for (one,) in results] == [False] * 3 + [True] * 9


async def test_more_waits_than_may(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.service.committing.MAX_WAITING", 5)
    room = await house.group(A)
    results = await asyncio.gather(*(house.batch(house.say(room, A)) for _ in range(30)))
    refused = [one for (one,) in results if isinstance(one, Rejected)]
    assert {one.code for one in refused} == {"unavailable"}
    assert 0 < len(refused) < 30


@pytest.mark.parametrize("batches", [1, 6])
async def test_what_was_not_committed_is_not_done(quiet: Any, trail: list[dict[str, Any]], batches: int) -> None:
    """All statements of the transaction succeed, its COMMIT fails: nothing is answered, published or audited."""
    house = quiet
    room = await house.group(A)
    await house.deps.publisher.drain()
    before, streams = await house.heads(), await published(house, room)
    trail.clear()
    asked = [[house.say(room, A), house.say(room, A), house.invite(room, A, B)] for _ in range(batches)]
    async with house.failing_commits():
        results = await asyncio.gather(*(house.batch(*batch) for batch in asked))
    assert [one.code for batch in results for one in batch if isinstance(one, Rejected)] == [
        "unavailable"
    ] * 3 * batches
    assert (await house.heads(), house.deps.publisher._size, trail) == (before, 0, [])
    assert await published(house, room) == streams
    again = [await house.do(*batch) for batch in asked]
    assert [one.seq for batch in again for one in batch[:2]] == list(range(1, 2 * batches + 1))
    assert [one.duplicate for batch in again for one in batch[:2]] == [False] * 2 * batches
    assert [event.version for event in await house.events(room)] == list(range(1, 2 * batches + 3))


async def published(house: Any, room: str) -> dict[str, int]:
    since = await read_since(house.deps.redis, house.deps.publisher.epoch, {room: 0})
    return {room_id: found.tip for room_id, found in since.items()}


async def test_a_room_that_was_not_committed_is_not_opened(house: Any, trail: list[dict[str, Any]]) -> None:
    async with house.failing_commits():
        for opening in (house.group(A, B), house.direct(A, B)):
            with pytest.raises(DBAPIError):
                await opening
    assert (await house.heads(), house.deps.publisher._size, trail) == ([[], [(0,)], []], 0, [])
    room = await house.direct(A, B)
    assert [event.version for event in await house.events(room)] == [1, 2]


async def test_an_event_of_another_service_that_was_not_committed_is_not_handled(house: Any) -> None:
    """The consumer acknowledges what is handled without an error."""
    room = await house.group(A, B)
    async with house.failing_commits():
        for handling in (
            on_social(house.deps, UserBlocked(user_id=C, blocked_id=A, version=1)),
            on_auth(house.deps, UserClosed(user_id=B, version=2, at=1)),
        ):
            with pytest.raises(DBAPIError):
                await handling
    await house.do(house.invite(room, A, C), house.say(room, B))


async def test_an_account_is_not_closed_before_all_its_rooms_are_left(house: Any) -> None:
    room = await house.group(A, B)
    async with house.failing_commits(after=1):
        with pytest.raises(Unavailable):
            await on_auth(house.deps, UserClosed(user_id=B, version=2, at=1))
    assert set((await house.snapshot(room, A)).members) == {A, B}
    await on_auth(house.deps, UserClosed(user_id=B, version=2, at=1))
    assert set((await house.snapshot(room, A)).members) == {A}
