"""A cache of encoded replies with the newest page of a room.

A reply is valid as long as the hub's version of the room equals the version of the page, so the cache needs no
invalidation.
"""

from collections import OrderedDict

import msgspec

from chat_gateway.protocol.frames import PageReply

MAX_BYTES = 16 * 1024 * 1024
_HEAD = b'{"op":"ok","id":'
_encode = msgspec.json.Encoder().encode

Key = tuple[str, int, int]
"""Room ID, seq after which the reader joined, limit."""


class RecentPages:
    """A least-recently-used cache that holds at most `max_bytes` of replies."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._pages: OrderedDict[Key, tuple[int, bytes]] = OrderedDict()
        self._free_bytes = max_bytes

    def find(self, key: Key, version: int, frame_id: str) -> bytes | None:
        """Return the reply to a frame, or None if the page of this version is not cached."""
        cached = self._pages.get(key)
        if cached is None or cached[0] != version:
            return None
        self._pages.move_to_end(key)
        return _HEAD + _encode(frame_id) + cached[1]

    def store(self, key: Key, version: int, page: PageReply) -> None:
        """Cache a reply, without the id of its frame."""
        self._remove(key)
        rest = _encode(page)[len(_HEAD) + len(_encode(page.id)) :]
        self._pages[key] = version, rest
        self._free_bytes -= len(rest)
        while self._free_bytes < 0:
            self._remove(next(iter(self._pages)))

    def clear(self) -> None:
        """Remove all pages. Needed for a new epoch, in which versions start again."""
        for key in list(self._pages):
            self._remove(key)

    def _remove(self, key: Key) -> None:
        if (cached := self._pages.pop(key, None)) is not None:
            self._free_bytes += len(cached[1])
