"""The newest messages of rooms, encoded, in memory. They save loading and encoding the page that is read most."""

from collections import OrderedDict

import msgspec

MAX_BYTES = 16 * 1024 * 1024


class RecentMessages(msgspec.Struct, frozen=True):
    """Consecutive messages up to the newest one, at one version of the room."""

    epoch: str
    version: int
    first: int
    messages: list[msgspec.Raw]

    @property
    def size(self) -> int:
        return sum(memoryview(message).nbytes for message in self.messages)


class RecentMessagesCache:
    """Keeps what was read last, up to `max_bytes`.

    Every change of a message is an event of its room, so a version has one content. Whoever asks has to know the
    current version and what the user may see: the cache checks neither.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._rooms: OrderedDict[str, tuple[RecentMessages, int]] = OrderedDict()
        self._size = 0

    def __contains__(self, room_id: str) -> bool:
        """Return whether there are messages of the room, at whatever version."""
        return room_id in self._rooms

    def find(self, room_id: str, epoch: str, version: int, first: int) -> list[msgspec.Raw] | None:
        """Return the messages from the seq `first` on, None if not all of them are here at this version."""
        recent, _ = self._rooms.get(room_id, (None, 0))
        if recent is None or (recent.epoch, recent.version) != (epoch, version) or recent.first > first:
            return None
        self._rooms.move_to_end(room_id)
        return recent.messages[first - recent.first :]

    def put(self, room_id: str, recent: RecentMessages) -> None:
        """Keep these messages instead of what is here of the room, unless that is newer."""
        known, _ = self._rooms.get(room_id, (None, 0))
        if known is not None and known.epoch == recent.epoch and known.version > recent.version:
            return
        self._remove(room_id)
        self._rooms[room_id] = recent, recent.size
        self._size += recent.size
        while self._size > self._max_bytes:
            self._remove(next(iter(self._rooms)))

    def _remove(self, room_id: str) -> None:
        _, size = self._rooms.pop(room_id, (None, 0))
        self._size -= size
