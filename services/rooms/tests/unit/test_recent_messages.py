"""The newest messages in memory: found only at their version, replaced by newer ones, limited in bytes."""

import msgspec

from rooms.service.queries.recent_messages import RecentMessages, RecentMessagesCache


def recent(first: int, *messages: bytes, epoch: str = "e", version: int = 7) -> RecentMessages:
    return RecentMessages(epoch, version, first, [msgspec.Raw(one) for one in messages])


def found(
    cache: RecentMessagesCache, first: int, *, room: str = "r", epoch: str = "e", version: int = 7
) -> bytes | None:
    messages = cache.find(room, epoch, version, first)
    return None if messages is None else msgspec.json.encode(messages)


def test_messages_are_found_at_their_version_and_epoch() -> None:
    cache = RecentMessagesCache()
    cache.put("r", recent(3, b"3", b"4", b"5"))
    assert [found(cache, first) for first in (2, 3, 4, 6)] == [None, b"[3,4,5]", b"[4,5]", b"[]"]
    assert found(cache, 3, version=8) is found(cache, 3, version=6) is found(cache, 3, epoch="f") is None
    assert found(cache, 3, room="s") is None
    assert ("r" in cache, "s" in cache) == (True, False)


def test_an_older_version_does_not_replace_a_newer_one() -> None:
    cache = RecentMessagesCache()
    cache.put("r", recent(1, b"1"))
    cache.put("r", recent(1, b"0", version=6))
    assert found(cache, 1) == b"[1]"
    cache.put("r", recent(1, b"2", version=8))
    assert (found(cache, 1), found(cache, 1, version=8)) == (None, b"[2]")
    cache.put("r", recent(1, b"3", version=1, epoch="f"))
    assert found(cache, 1, version=1, epoch="f") == b"[3]"


def test_the_room_that_was_read_longest_ago_is_dropped() -> None:
    cache = RecentMessagesCache(max_bytes=10)
    for room in ("a", "b"):
        cache.put(room, recent(1, b"11111"))
    assert found(cache, 1, room="a")
    cache.put("c", recent(1, b"1", b"1"))
    assert [room in cache for room in "abc"] == [True, False, True]
    cache.put("c", recent(1, b"11", b"111"))
    assert [room in cache for room in "abc"] == [True, False, True]
    cache.put("d", recent(1, b"11111111111"))
    assert [room in cache for room in "abcd"] == [False] * 4
