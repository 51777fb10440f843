"""The cached page of a room's newest messages: a snapshot, onto which readers fold the stream's newer events.

Nobody invalidates it: a fill is a compare-and-set by version, and a stream that starts anew takes older pages with it.
"""

from pathlib import Path
from typing import Any

import msgspec

from shared.contracts.rooms import Message
from shared.redis.client import AnyRedis, Script
from shared.roomlog.fold import Snapshot, fold
from shared.roomlog.frames import decode_frame
from shared.roomlog.keys import log_key, page_key
from shared.roomlog.stream import read_since

RECENT_MESSAGES = 100
PAGE_TTL_S = 3600

_FILL_PAGE = Script(Path(__file__).parent / "fill_page.lua")


class _Cached(msgspec.Struct):
    from_seq: int
    messages: list[Message]


_decoder = msgspec.json.Decoder(_Cached)


async def find_recent(redis: AnyRedis, epoch: str, room_id: str) -> Snapshot | None:
    """The newest messages at the stream's tip, or None where Redis cannot tell: then rooms can."""
    kept: Any = await redis.hgetall(page_key(epoch, room_id))
    if not kept:
        return None
    version = int(kept[b"version"])
    since = (await read_since(redis, epoch, {room_id: version}))[room_id]
    if not since.reaches(version):
        return None
    cached = _decoder.decode(kept[b"page"])
    snapshot = Snapshot(version, cached.from_seq, {message.seq: message for message in cached.messages})
    return fold(snapshot, map(decode_frame, since.frames))


async def keep_recent(redis: AnyRedis, epoch: str, room_id: str, snapshot: Snapshot) -> None:
    """Cache the newest messages of a snapshot, unless Redis has a newer page or could not fold onto this one."""
    messages = sorted(snapshot.messages.values(), key=lambda message: message.seq)[-RECENT_MESSAGES:]
    from_seq = messages[0].seq if len(messages) == RECENT_MESSAGES else snapshot.from_seq
    page = msgspec.json.encode(_Cached(from_seq, messages))
    keys = (log_key(epoch, room_id), page_key(epoch, room_id))
    await _FILL_PAGE(redis, keys, snapshot.version, page, PAGE_TTL_S)
