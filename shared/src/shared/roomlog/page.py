"""The cached page of a room's newest messages: a snapshot onto which readers fold the stream's newer events.

The cache needs no invalidation by readers: a write is a compare-and-set by version, and a restarted stream deletes an
older page.
"""

from pathlib import Path
from typing import Any

import msgspec

from shared.contracts.rooms import Message
from shared.redis.client import AnyRedis, Script
from shared.roomlog.fold import Snapshot, fold
from shared.roomlog.frames import decode_frame
from shared.roomlog.keys import log_key, page_key
from shared.roomlog.stream import read_after

RECENT_MESSAGES = 100
PAGE_TTL_S = 3600

_FILL_PAGE = Script(Path(__file__).parent / "fill_page.lua")


class _Page(msgspec.Struct):
    from_seq: int
    messages: list[Message]


_decoder = msgspec.json.Decoder(_Page)


async def find_recent(redis: AnyRedis, epoch: str, room_id: str) -> Snapshot | None:
    """Return the newest messages at the stream head, or None if Redis does not have them. Then ask rooms."""
    cached: Any = await redis.hgetall(page_key(epoch, room_id))
    if not cached:
        return None
    version = int(cached[b"version"])
    stream = (await read_after(redis, epoch, {room_id: version}))[room_id]
    if not stream.reaches(version):
        return None
    page = _decoder.decode(cached[b"page"])
    snapshot = Snapshot(version, page.from_seq, {message.seq: message for message in page.messages})
    return fold(snapshot, map(decode_frame, stream.frames))


async def cache_recent(redis: AnyRedis, epoch: str, room_id: str, snapshot: Snapshot) -> None:
    """Cache the newest messages of a snapshot, unless Redis has a newer page or its stream starts after this one."""
    messages = sorted(snapshot.messages.values(), key=lambda message: message.seq)[-RECENT_MESSAGES:]
    from_seq = messages[0].seq if len(messages) == RECENT_MESSAGES else snapshot.from_seq
    page = msgspec.json.encode(_Page(from_seq, messages))
    keys = (log_key(epoch, room_id), page_key(epoch, room_id))
    await _FILL_PAGE(redis, keys, snapshot.version, page, PAGE_TTL_S)
