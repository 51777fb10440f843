"""Who reads which room on this gateway, and up to which version each room was delivered.

A room has one version here: every reader has exactly its events up to it. Delivering is one buffer and n writes; what
arrives in one turn of the event loop is joined once per room. A hole is never delivered over: it is returned, to be
repaired from the log.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from chat_gateway.protocol.frames import CursorsMoved, RoomRemoved
from chat_gateway.protocol.resume import is_member_event, tail
from shared.events.rooms import MemberLeft
from shared.roomlog.frames import MEMBERS_CHANGED, Publication, decode_frame, split_frames, text_frame

_encoder = msgspec.json.Encoder()


class Reader(Protocol):
    """A live connection of a user."""

    user_id: str

    def push(self, data: bytes) -> None:
        """Write live events now, or be closed for reading too slowly."""

    def push_droppable(self, data: bytes) -> None:
        """Write what may be lost; dropped while much waits."""

    def removed_from(self, room_id: str) -> None:
        """The user is no longer in the room."""


class HubRoom:
    """One room with readers. `readers` maps each to the version since which its user is a member."""

    __slots__ = ("cursors", "outgoing", "readers", "version", "waiting")

    def __init__(self, version: int) -> None:
        self.version = version
        self.readers: dict[Reader, int] = {}
        self.outgoing: list[bytes] = []
        self.waiting = 0
        self.cursors: dict[str, int] = {}


class Hub:
    """`on_output` is called when something waits for `flush`, at most once until then.

    `received` counts events of rooms, `delivered` each of them once a reader.
    """

    def __init__(self, on_output: Callable[[], None]) -> None:
        self.rooms: dict[str, HubRoom] = {}
        self._waiting: dict[str, HubRoom] = {}
        self._moved: set[str] = set()
        self._on_output = on_output
        self.received = self.delivered = 0

    def leave_all(self, reader: Reader, room_ids: Iterable[str]) -> None:
        """Forget a connection's place in the rooms."""
        for room_id in room_ids:
            self.leave(reader, room_id)

    # Rooms

    def version_of(self, room_id: str) -> int | None:
        room = self.rooms.get(room_id)
        return None if room is None else room.version

    def join(self, reader: Reader, room_id: str, version: int, since: int) -> bool:
        """Add a reader that has everything up to `version`; False unless that is exactly the room's version."""
        room = self.rooms.get(room_id)
        if room is None:
            room = self.rooms[room_id] = HubRoom(version)
        elif room.version != version:
            return False
        self._flush_room(room_id, room)
        room.readers[reader] = since
        return True

    def leave(self, reader: Reader, room_id: str) -> None:
        """Remove a reader; a room without readers is forgotten."""
        room = self.rooms.get(room_id)
        if room is None or reader not in room.readers:
            return
        self._flush_room(room_id, room)
        del room.readers[reader]
        if not room.readers:
            self.rooms.pop(room_id)
            self._moved.discard(room_id)

    def reads(self, reader: Reader, room_id: str) -> bool:
        room = self.rooms.get(room_id)
        return room is not None and reader in room.readers

    # Delivery

    def receive(self, room_id: str, live: Publication) -> bool:
        """Take what was published for a room; False where events before it are missing."""
        room = self.rooms.get(room_id)
        if room is None or live.last <= room.version:
            return True
        if live.first == room.version + 1 and live.flags != MEMBERS_CHANGED:
            self._put(room_id, room, live.data, live.last - room.version)
            room.version = live.last
            return True
        return self.receive_frames(room_id, live.first, split_frames(live.data))

    def receive_frames(self, room_id: str, first: int, frames: list[bytes]) -> bool:
        """Take consecutive events from version `first` on, as read from the log; False where some are missing."""
        room = self.rooms.get(room_id)
        if room is None:
            return True
        new = tail(first, frames, room.version)
        if new is None:
            return False
        for frame in new:
            self._put(room_id, room, frame, 1)
            room.version += 1
            if is_member_event(frame):
                self._member_changed(room_id, room, frame)
        return True

    def skip_to(self, room_id: str, version: int) -> list[Reader]:
        """Go on at `version` though events before it cannot be had any more; returns the readers to be told."""
        room = self.rooms.get(room_id)
        if room is None or room.version >= version:
            return []
        self._flush_room(room_id, room)
        room.version = version
        return list(room.readers)

    def receive_cursors(self, room_id: str, cursors: dict[str, int]) -> None:
        """Merge moved read cursors; they leave with the next `flush_cursors`."""
        room = self.rooms.get(room_id)
        if room is None:
            return
        for user_id, seq in cursors.items():
            room.cursors[user_id] = max(seq, room.cursors.get(user_id, 0))
        self._moved.add(room_id)

    def receive_typing(self, room_id: str, user_id: str, frame: bytes) -> None:
        room = self.rooms.get(room_id)
        for reader in room.readers if room is not None else ():
            if reader.user_id != user_id:
                reader.push_droppable(frame)

    def flush(self) -> bytes:
        """Write what waits: each room's events joined once, for all of its readers; returns what waited longest."""
        waiting, self._waiting = self._waiting, {}
        oldest = b""
        for room in waiting.values():
            oldest = oldest or room.outgoing[0]
            self._write(room)
        return oldest

    def flush_cursors(self) -> None:
        """Send moved read cursors; call at most four times a second."""
        moved, self._moved = self._moved, set()
        for room_id in moved:
            room = self.rooms[room_id]
            cursors, room.cursors = room.cursors, {}
            frame = text_frame(_encoder.encode(CursorsMoved(room_id=room_id, cursors=cursors)))
            for reader in list(room.readers):
                reader.push(frame)

    def _put(self, room_id: str, room: HubRoom, data: bytes, events: int) -> None:
        if not self._waiting:
            self._on_output()
        self._waiting[room_id] = room
        room.outgoing.append(data)
        room.waiting += events

    def _flush_room(self, room_id: str, room: HubRoom) -> None:
        if self._waiting.pop(room_id, None) is not None:
            self._write(room)

    def _write(self, room: HubRoom) -> None:
        data = room.outgoing[0] if len(room.outgoing) == 1 else b"".join(room.outgoing)
        room.outgoing.clear()
        self.received += room.waiting
        self.delivered += room.waiting * len(room.readers)
        room.waiting = 0
        for reader in list(room.readers):
            reader.push(data)

    def _member_changed(self, room_id: str, room: HubRoom, frame: bytes) -> None:
        event = decode_frame(frame)
        if not isinstance(event, MemberLeft):
            return
        gone = [r for r, since in room.readers.items() if r.user_id == event.user_id and since < event.version]
        farewell = text_frame(_encoder.encode(RoomRemoved(room_id=room_id)))
        for reader in gone:
            self.leave(reader, room_id)
            reader.push(farewell)
            reader.removed_from(room_id)
