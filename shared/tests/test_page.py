"""Test the cached page of the newest messages: newer events are folded onto it, and deleted text is removed."""

import pytest
from redis.asyncio import Redis

from shared.events.rooms import MessageCreated, MessageDeleted, MessageEdited, RoomEvent
from shared.roomlog.fold import Snapshot, fold
from shared.roomlog.frames import batch_events
from shared.roomlog.keys import log_key, page_key
from shared.roomlog.page import RECENT_MESSAGES, cache_recent, find_recent
from shared.roomlog.stream import append_events
from shared.testing.fixtures import on_both_engines

pytestmark = on_both_engines

AT = "2026-11-24T07:42:44.123Z"


def created(version: int, seq: int, body: str = "text") -> MessageCreated:
    return MessageCreated(
        room_id="r", seq=seq, version=version, sender_id="a", client_id=f"c{seq}", kind="text", body=body, at=AT
    )


def edited(version: int, seq: int, body: str) -> MessageEdited:
    return MessageEdited(room_id="r", version=version, at=AT, seq=seq, body=body, edited_at=AT, by="a")


def deleted(version: int, seq: int) -> MessageDeleted:
    return MessageDeleted(room_id="r", version=version, at=AT, seq=seq, by="a")


def snapshot(*events: RoomEvent) -> Snapshot:
    """Return a snapshot of the room after these events."""
    return fold(Snapshot(0, 1, {}), events)


async def publish(redis: Redis, *events: RoomEvent) -> None:
    assert await append_events(redis, "e", [("r", batch) for batch in batch_events(events)]) == {}


async def bodies(redis: Redis) -> list[str] | None:
    found = await find_recent(redis, "e", "r")
    return None if found is None else [message.body for message in found.messages.values()]


LOG = [created(1, 1, "one"), created(2, 2, "two"), edited(3, 1, "uno"), created(4, 3, "three")]


async def test_without_a_page_there_is_no_snapshot(redis: Redis) -> None:
    assert await find_recent(redis, "e", "r") is None
    await publish(redis, *LOG)
    assert await find_recent(redis, "e", "r") is None


@pytest.mark.parametrize("version", range(1, 5))
async def test_newer_entries_are_folded_onto_the_page(redis: Redis, version: int) -> None:
    await publish(redis, *LOG)
    await cache_recent(redis, "e", "r", snapshot(*LOG[:version]))
    found = await find_recent(redis, "e", "r")
    assert found == snapshot(*LOG)
    assert await redis.ttl(page_key("e", "r")) > 3000


async def test_a_page_that_the_stream_does_not_continue_is_not_used(redis: Redis) -> None:
    await cache_recent(redis, "e", "r", snapshot(*LOG))
    assert await find_recent(redis, "e", "r") is None  # no stream: later events are unknown
    await publish(redis, *LOG, created(5, 4))
    assert await bodies(redis) == ["uno", "two", "three", "text"]
    await redis.xtrim(log_key("e", "r"), maxlen=0, approximate=False)
    assert await find_recent(redis, "e", "r") is None


async def test_an_older_snapshot_never_replaces_a_newer_one(redis: Redis) -> None:
    await publish(redis, *LOG)
    await cache_recent(redis, "e", "r", snapshot(*LOG[:3]))
    await cache_recent(redis, "e", "r", snapshot(*LOG[:1]))
    assert await redis.hget(page_key("e", "r"), "version") == b"3"
    await cache_recent(redis, "e", "r", snapshot(*LOG))
    assert await redis.hget(page_key("e", "r"), "version") == b"4"


async def test_a_deletion_removes_the_page_and_older_snapshots_are_rejected(redis: Redis) -> None:
    before = snapshot(*LOG)
    await publish(redis, *LOG)
    await cache_recent(redis, "e", "r", before)
    await publish(redis, deleted(5, 2))
    assert not await redis.exists(page_key("e", "r"))
    await cache_recent(redis, "e", "r", before)
    assert not await redis.exists(page_key("e", "r"))
    await cache_recent(redis, "e", "r", snapshot(*LOG, deleted(5, 2)))
    assert await bodies(redis) == ["uno", "", "three"]


async def test_a_restarted_stream_removes_an_older_page(redis: Redis) -> None:
    await publish(redis, *LOG)
    await cache_recent(redis, "e", "r", snapshot(*LOG[:2]))
    await redis.delete(log_key("e", "r"))
    await publish(redis, created(4, 3))
    assert not await redis.exists(page_key("e", "r"))


async def test_only_the_newest_messages_are_cached(redis: Redis) -> None:
    many = [created(n, n, f"m{n}") for n in range(1, RECENT_MESSAGES + 6)]
    await publish(redis, *many)
    await cache_recent(redis, "e", "r", snapshot(*many))
    found = await find_recent(redis, "e", "r")
    assert found is not None
    assert found.from_seq == 6
    assert list(found.messages) == list(range(6, RECENT_MESSAGES + 6))
    await publish(redis, edited(RECENT_MESSAGES + 6, 2, "out of the page"))
    later = await find_recent(redis, "e", "r")
    assert later is not None
    assert (later.version, later.messages) == (RECENT_MESSAGES + 6, found.messages)
    await publish(redis, deleted(RECENT_MESSAGES + 7, 3))
    assert await find_recent(redis, "e", "r") is None
