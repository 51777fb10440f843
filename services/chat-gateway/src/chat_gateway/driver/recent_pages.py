"""Newest pages as they were answered last, to be answered again while their rooms stand still: encoded once.

A page of a version is what its room looks like for as long as the hub is at that version, so nobody invalidates it.
"""

from collections import OrderedDict

import msgspec

from chat_gateway.protocol.frames import Ok

MAX_BYTES = 16 * 1024 * 1024
_HEAD = b'{"op":"ok","id":'
_encode = msgspec.json.Encoder().encode

Key = tuple[str, int, int]
"""Room id, the seq after which its reader joined, limit."""


class RecentPages:
    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._pages: OrderedDict[Key, tuple[int, bytes]] = OrderedDict()
        self._left = max_bytes

    def find(self, key: Key, version: int, frame_id: str) -> bytes | None:
        """The reply, if the page is there and of this version."""
        kept = self._pages.get(key)
        if kept is None or kept[0] != version:
            return None
        self._pages.move_to_end(key)
        return _HEAD + _encode(frame_id) + kept[1]

    def keep(self, key: Key, version: int, page: Ok) -> None:
        """What was used longest ago gives way."""
        self._forget(key)
        rest = _encode(page)[len(_HEAD) + len(_encode(page.id)) :]
        self._pages[key] = version, rest
        self._left -= len(rest)
        while self._left < 0:
            self._forget(next(iter(self._pages)))

    def clear(self) -> None:
        """Versions begin anew."""
        for key in list(self._pages):
            self._forget(key)

    def _forget(self, key: Key) -> None:
        if (kept := self._pages.pop(key, None)) is not None:
            self._left += len(kept[1])
