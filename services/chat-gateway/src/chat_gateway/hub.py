"""The hub: which connections read which rooms on this gateway, and the delivery of events to them.

The hub keeps one version per room: every reader has received exactly the room's events up to that version. The output
of a room is joined once, and the same buffer is written to each reader. The hub never delivers past a gap. It reports
the gap, and the caller repairs it from the log.
"""

from collections.abc import Callable, Iterable

from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.encoding import encode
from chat_gateway.protocol.frames import CursorsMoved, RoomRemoved
from chat_gateway.protocol.resume import frames_after, is_member_event
from shared.events.rooms import MemberLeft
from shared.roomlog.frames import MEMBERS_CHANGED, Publication, decode_frame, split_frames

JOIN_S = 0.005
"""An idle room is written in the same turn of the event loop. After that, its output is joined for this long."""


class HubRoom:
    """A room with readers. `readers` maps each reader to the version since which its user is a member."""

    __slots__ = ("cursors", "outgoing", "outgoing_events", "readers", "version", "written_at")

    def __init__(self, version: int) -> None:
        self.version = version
        self.readers: dict[Connection, int] = {}
        self.outgoing: list[bytes] = []
        self.outgoing_events = 0
        self.written_at = -JOIN_S
        self.cursors: dict[str, int] = {}


class Hub:
    """Delivers the events of rooms to their readers.

    `on_output` is called when there is output for `flush_idle`, at most once before each call. `on_removed` is called
    when a reader was removed because its user left the room. `received` counts every event once, `delivered` counts it
    once per reader.
    """

    def __init__(self, on_output: Callable[[], None], on_removed: Callable[[Connection, str], object]) -> None:
        self.rooms: dict[str, HubRoom] = {}
        self._rooms_with_output: dict[str, HubRoom] = {}
        self._joining: dict[str, HubRoom] = {}
        self._rooms_with_cursors: set[str] = set()
        self._on_output, self._on_removed = on_output, on_removed
        self.received = self.delivered = 0

    # Rooms

    def version_of(self, room_id: str) -> int | None:
        room = self.rooms.get(room_id)
        return None if room is None else room.version

    def join(self, reader: Connection, room_id: str, version: int, since: int) -> bool:
        """Add a reader that has all events up to `version`. Returns False unless the room is at that version."""
        room = self.rooms.get(room_id)
        if room is None:
            room = self.rooms[room_id] = HubRoom(version)
        elif room.version != version:
            return False
        self._flush_room(room_id, room)
        room.readers[reader] = since
        return True

    def leave(self, reader: Connection, room_id: str) -> None:
        """Remove a reader. A room without readers is forgotten."""
        room = self.rooms.get(room_id)
        if room is None or reader not in room.readers:
            return
        self._flush_room(room_id, room)
        del room.readers[reader]
        if not room.readers:
            self.rooms.pop(room_id)
            self._rooms_with_cursors.discard(room_id)

    def reads(self, reader: Connection, room_id: str) -> bool:
        room = self.rooms.get(room_id)
        return room is not None and reader in room.readers

    # Delivery

    def receive(self, room_id: str, publication: Publication) -> bool:
        """Deliver published events. Returns False if events before them are missing."""
        room = self.rooms.get(room_id)
        if room is None or publication.last <= room.version:
            return True
        if publication.first == room.version + 1 and publication.flags != MEMBERS_CHANGED:
            self._add_output(room_id, room, publication.data, publication.last - room.version)
            room.version = publication.last
            return True
        return self.receive_frames(room_id, publication.first, split_frames(publication.data))

    def receive_frames(self, room_id: str, first: int, frames: list[bytes]) -> bool:
        """Deliver consecutive events from version `first` on. Returns False if events before them are missing."""
        room = self.rooms.get(room_id)
        if room is None:
            return True
        new = frames_after(room.version, first, frames)
        if new is None:
            return False
        for frame in new:
            self._add_output(room_id, room, frame, 1)
            room.version += 1
            if is_member_event(frame):
                self._member_changed(room_id, room, frame)
        return True

    def skip_to(self, room_id: str, version: int) -> list[Connection]:
        """Continue at `version` because the events before it no longer exist. Returns the readers that miss them."""
        room = self.rooms.get(room_id)
        if room is None or room.version >= version:
            return []
        self._flush_room(room_id, room)
        room.version = version
        return list(room.readers)

    def receive_cursors(self, room_id: str, cursors: dict[str, int]) -> None:
        """Merge moved read cursors. The next `flush_cursors` sends them."""
        room = self.rooms.get(room_id)
        if room is None:
            return
        for user_id, seq in cursors.items():
            room.cursors[user_id] = max(seq, room.cursors.get(user_id, seq))
        self._rooms_with_cursors.add(room_id)

    def receive_typing(self, room_id: str, user_id: str, frame: bytes) -> None:
        """Deliver a typing frame to all readers except the connections of the typing user."""
        room = self.rooms.get(room_id)
        for reader in room.readers if room is not None else ():
            if reader.user_id != user_id:
                reader.push_droppable(frame)

    @property
    def is_joining(self) -> bool:
        """True if rooms join output until the next `flush`, which is due within `JOIN_S`."""
        return bool(self._joining)

    def flush_idle(self, now: float) -> bytes:
        """Write the new output of rooms that were last written `JOIN_S` ago or earlier. The others join it.

        `now` is in seconds. Returns the output that waited longest.
        """
        rooms, self._rooms_with_output = self._rooms_with_output, {}
        busy = {room_id: room for room_id, room in rooms.items() if now - room.written_at < JOIN_S}
        self._joining |= busy
        return self._write_all((room for room_id, room in rooms.items() if room_id not in busy), now)

    def flush(self, now: float = 0) -> bytes:
        """Write the output of all rooms, joined, to their readers. Returns the output that waited longest."""
        rooms = self._joining | self._rooms_with_output
        self._joining, self._rooms_with_output = {}, {}
        return self._write_all(rooms.values(), now)

    def flush_room(self, room_id: str) -> None:
        """Write the output of a room now, because its readers are to get something that must come after it."""
        if (room := self.rooms.get(room_id)) is not None:
            self._flush_room(room_id, room)

    def _write_all(self, rooms: Iterable[HubRoom], now: float) -> bytes:
        oldest = b""
        for room in rooms:
            oldest = oldest or room.outgoing[0]
            room.written_at = now
            self._write(room)
        return oldest

    def flush_cursors(self) -> None:
        """Send moved read cursors. Call this at most four times a second."""
        room_ids, self._rooms_with_cursors = self._rooms_with_cursors, set()
        for room_id in room_ids:
            room = self.rooms[room_id]
            cursors, room.cursors = room.cursors, {}
            frame = encode(CursorsMoved(room_id=room_id, cursors=cursors))
            for reader in list(room.readers):
                reader.push(frame)

    def _add_output(self, room_id: str, room: HubRoom, data: bytes, events: int) -> None:
        if room_id not in self._joining:
            if not self._rooms_with_output:
                self._on_output()
            self._rooms_with_output[room_id] = room
        room.outgoing.append(data)
        room.outgoing_events += events

    def _flush_room(self, room_id: str, room: HubRoom) -> None:
        if self._rooms_with_output.pop(room_id, None) or self._joining.pop(room_id, None):
            self._write(room)

    def _write(self, room: HubRoom) -> None:
        data = b"".join(room.outgoing)  # a single piece is not copied
        room.outgoing.clear()
        self.received += room.outgoing_events
        self.delivered += room.outgoing_events * len(room.readers)
        room.outgoing_events = 0
        for reader in list(room.readers):
            reader.push(data)

    def _member_changed(self, room_id: str, room: HubRoom, frame: bytes) -> None:
        """Remove the readers of a user who left."""
        event = decode_frame(frame)
        if not isinstance(event, MemberLeft):
            return
        removed = [r for r, since in room.readers.items() if r.user_id == event.user_id and since < event.version]
        removed_frame = encode(RoomRemoved(room_id=room_id))
        for reader in removed:
            self.leave(reader, room_id)
            reader.push(removed_frame)
            self._on_removed(reader, room_id)
