"""Batches that arrive during a transaction share the next one. A failed commit has no effect."""

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from rooms.consumers import on_auth, on_social
from rooms.service.pipeline import commands
from shared.contracts.rooms import Accepted, Rejected
from shared.errors import Unavailable
from shared.events.auth import UserClosed
from shared.events.social import UserBlocked
from shared.ids import new_id
from shared.roomlog.stream import read_after
from shared.testing.fixtures import on_each_database

from .conftest import RoomsDriver

pytestmark = on_each_database
A, B, C = (new_id() for _ in range(3))


def count_inserts(statements: list[str]) -> int:
    """Return the number of transactions that stored messages."""
    return len([one for one in statements if one.startswith("INSERT INTO message ")])


async def test_waiting_batches_share_a_transaction(driver: RoomsDriver) -> None:
    rooms = [await driver.group(A) for _ in range(10)]
    async with driver.record_statements() as statements:
        done = await asyncio.gather(*(driver.execute(driver.send(room, A), driver.send(room, A)) for room in rooms))
    assert count_inserts(statements) <= 5
    assert [[one.seq for one in batch] for batch in done] == [[1, 2]] * 10


async def test_a_group_is_bounded(driver: RoomsDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.service.pipeline.committer.MAX_GROUP_WEIGHT", 4)
    room = await driver.group(A)
    async with driver.record_statements() as statements:
        await asyncio.gather(*(driver.execute(driver.send(room, A), driver.send(room, A)) for _ in range(20)))
    assert count_inserts(statements) >= 10


async def test_a_batch_that_cannot_be_stored_does_not_fail_others(driver: RoomsDriver) -> None:
    room, other = await driver.group(A), await driver.group(A)
    batches = [[driver.send(other, A)] if n % 3 else [driver.send(room, A, "seven")] for n in range(12)]
    async with driver.rejecting("seven"):
        results = await asyncio.gather(*(driver.batch(*batch) for batch in batches))
    assert [isinstance(one, Accepted) for (one,) in results] == [bool(n % 3) for n in range(12)]


async def test_an_expired_batch_does_not_fail_others(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    now = time.monotonic()
    batches = [(driver.send(room, A), now - 1 if n % 3 == 0 else now + 20) for n in range(12)]
    done = await asyncio.gather(*(commands.execute(driver.deps, [one], deadline) for one, deadline in batches))
    assert [isinstance(one.results[0], Rejected) for one in done] == [n % 3 == 0 for n in range(12)]


async def test_a_duplicate_in_the_same_transaction(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    message = driver.send(room, A)
    done = [one for batch in await asyncio.gather(*(driver.execute(message) for _ in range(9))) for one in batch]
    assert {one.seq for one in done} == {1}
    assert [one.duplicate for one in done].count(False) == 1


async def test_a_failed_account_lookup_rejects_only_invitations(driver: RoomsDriver) -> None:
    room, other = await driver.group(A), await driver.group(A)
    driver.auth.unavailable = True
    results = await asyncio.gather(
        *(driver.batch(driver.invite(room, A, B)) for _ in range(3)),
        *(driver.batch(driver.send(other, A)) for _ in range(9)),
    )
    assert [isinstance(one, Accepted) for (one,) in results] == [False] * 3 + [True] * 9


async def test_a_full_queue_rejects_batches(driver: RoomsDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.service.pipeline.committer.MAX_WAITING_BATCHES", 5)
    room = await driver.group(A)
    results = await asyncio.gather(*(driver.batch(driver.send(room, A)) for _ in range(30)))
    rejected = [one for (one,) in results if isinstance(one, Rejected)]
    assert {one.code for one in rejected} == {"unavailable"}
    assert 0 < len(rejected) < 30


@pytest.mark.parametrize("batches", [1, 6])
async def test_a_failed_commit_has_no_effect(
    manual_driver: RoomsDriver, trail: list[dict[str, Any]], batches: int
) -> None:
    """All statements succeed but the COMMIT fails. Nothing is acknowledged, published or audited."""
    driver = manual_driver
    room = await driver.group(A)
    await driver.deps.publisher.drain()
    before, streams = await driver.state(), await stream_heads(driver, room)
    trail.clear()
    requests = [[driver.send(room, A), driver.send(room, A), driver.invite(room, A, B)] for _ in range(batches)]
    async with driver.failing_commits():
        results = await asyncio.gather(*(driver.batch(*batch) for batch in requests))
    assert [one.code for batch in results for one in batch if isinstance(one, Rejected)] == [
        "unavailable"
    ] * 3 * batches
    assert (await driver.state(), driver.deps.publisher._size, trail) == (before, 0, [])
    assert await stream_heads(driver, room) == streams
    again = [await driver.execute(*batch) for batch in requests]
    assert [one.seq for batch in again for one in batch[:2]] == list(range(1, 2 * batches + 1))
    assert [one.duplicate for batch in again for one in batch[:2]] == [False] * 2 * batches
    assert [event.version for event in await driver.events(room)] == list(range(1, 2 * batches + 3))


async def stream_heads(driver: RoomsDriver, room: str) -> dict[str, int]:
    since = await read_after(driver.deps.redis, driver.deps.publisher.epoch, {room: 0})
    return {room_id: found.head for room_id, found in since.items()}


async def test_a_failed_commit_creates_no_room(driver: RoomsDriver, trail: list[dict[str, Any]]) -> None:
    async with driver.failing_commits():
        for opening in (driver.group(A, B), driver.direct(A, B)):
            with pytest.raises(DBAPIError):
                await opening
    assert (await driver.state(), driver.deps.publisher._size, trail) == ([[], [(0,)], []], 0, [])
    room = await driver.direct(A, B)
    assert [event.version for event in await driver.events(room)] == [1, 2]


async def test_a_domain_event_whose_commit_failed_is_not_handled(driver: RoomsDriver) -> None:
    """A consumer acknowledges events that are handled without an error."""
    room = await driver.group(A, B)
    async with driver.failing_commits():
        for handling in (
            on_social(driver.deps, UserBlocked(user_id=C, blocked_id=A, version=1)),
            on_auth(driver.deps, UserClosed(user_id=B, version=2, at=1)),
        ):
            with pytest.raises(DBAPIError):
                await handling
    await driver.execute(driver.invite(room, A, C), driver.send(room, B))


async def test_closing_an_account_fails_until_all_rooms_are_left(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    async with driver.failing_commits(after=1):
        with pytest.raises(Unavailable):
            await on_auth(driver.deps, UserClosed(user_id=B, version=2, at=1))
    assert set((await driver.snapshot(room, A)).members) == {A, B}
    await on_auth(driver.deps, UserClosed(user_id=B, version=2, at=1))
    assert set((await driver.snapshot(room, A)).members) == {A}
