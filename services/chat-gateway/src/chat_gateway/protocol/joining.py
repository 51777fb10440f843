"""The joining of rooms by a connection, sans I/O: event pages go in, and what to send and what to do next comes out.

A connection gets the events that it missed, and then joins each room at exactly the hub's version.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import TypeAlias

import msgspec

from chat_gateway.protocol.resume import EventPage, split_at_leave
from shared.contracts.rooms import Membership


class Next(Enum):
    """The next thing that a room needs."""

    JOIN = auto()
    """The hub is at the cursor."""
    REPAIR = auto()
    """The hub is behind the cursor."""
    LOAD = auto()
    """There are events after the cursor."""


class Send(msgspec.Struct, frozen=True):
    """Send the missed events, and wait until they are written."""

    data: bytes


class Reset(msgspec.Struct, frozen=True):
    """Send `room.reset`: the missed events no longer exist."""


class Leave(msgspec.Struct, frozen=True):
    """Take the connection out of the room, because the user left it, and send `room.removed`."""


Step: TypeAlias = Send | Reset | Leave


class Joining:
    """One call to join rooms.

    A room stays here until it is joined, deleted or left. A user who leaves a room and rejoins it has a new membership,
    which another call handles: its room is skipped here.
    """

    def __init__(
        self,
        user_id: str,
        memberships: Mapping[str, Membership],
        cursors: Mapping[str, int],
        heads: Mapping[str, int],
    ) -> None:
        """`cursors` are the versions that the client has, `heads` those of the rooms in its snapshot."""
        self._user_id = user_id
        self.cursors = dict(cursors)
        """Room → version up to which the client has all events."""
        self._since = {room_id: memberships[room_id].since for room_id in cursors if room_id in memberships}
        """Room → version of the membership that joins."""
        self._complete = {room_id for room_id, version in cursors.items() if version >= heads[room_id]}
        """Rooms in which the log had no events after the cursor when it was last read."""

    @property
    def complete(self) -> list[str]:
        """The rooms that may be joined, in the order of `cursors`."""
        return [room_id for room_id in self.cursors if room_id in self._complete]

    def belongs(self, room_id: str, membership: Membership | None) -> bool:
        """Return whether this is the membership that joins."""
        return membership is not None and membership.since == self._since.get(room_id)

    def next_rooms(self, memberships: Mapping[str, Membership], limit: int) -> dict[str, int]:
        """Return the cursors of rooms to load, at most `limit`. An empty result ends the joining."""
        rooms = [room_id for room_id in self.cursors if self.belongs(room_id, memberships.get(room_id))]
        return {room_id: self.cursors[room_id] for room_id in rooms[:limit]}

    def receive(self, room_id: str, page: EventPage | None, membership: Membership | None) -> list[Step]:
        """Take the events after a room's cursor. `page` is None if the room was deleted."""
        self._complete.discard(room_id)
        if page is None or not self.belongs(room_id, membership):
            self.forget([room_id])
            return []
        if page.gone:
            self.cursors[room_id] = page.head
            self._complete.add(room_id)
            return [Reset()]
        return self._send(room_id, page)

    def _send(self, room_id: str, page: EventPage) -> list[Step]:
        """Send a page, up to the event in which the user left."""
        frames, left = split_at_leave(page.frames, self._user_id, self._since[room_id])
        steps: list[Step] = [Send(b"".join(frames))] if frames else []
        if left:
            self.forget([room_id])
            return [*steps, Leave()]
        self.cursors[room_id] += len(frames)
        if page.complete:
            self._complete.add(room_id)
        return steps

    def next(self, room_id: str, hub_version: int | None) -> Next:
        """Decide about a room that is `complete`. `hub_version` is None if no connection here reads the room."""
        if hub_version is None or hub_version == self.cursors[room_id]:
            return Next.JOIN
        return Next.REPAIR if hub_version < self.cursors[room_id] else Next.LOAD

    def forget(self, room_ids: Iterable[str]) -> None:
        """Stop with rooms that are joined, deleted or left."""
        for room_id in room_ids:
            self.cursors.pop(room_id)
