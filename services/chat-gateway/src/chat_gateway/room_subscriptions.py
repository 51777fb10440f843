"""The rooms that each connection of this gateway is in: the only owner of that fact.

A connection in a room has three things: the membership as its client knows it, a share in the subscription of the
room's channel, and, from `deliver_from` on, a place among the hub's readers. `join` and `leave` are the only doors, so
the three begin and end together.
"""

from collections.abc import Mapping
from types import MappingProxyType

from chat_gateway.hub import Hub
from chat_gateway.protocol.connection import Connection
from chat_gateway.room_feed import RoomFeed
from chat_gateway.subscriber import Subscriber
from shared.contracts.rooms import Membership
from shared.roomlog.keys import live_channel

_NO_ROOMS: Mapping[str, Membership] = MappingProxyType({})


class RoomSubscriptions:
    """The rooms of each connection.

    A connection without rooms takes no memory here. `Connection.epoch` must be set before the first `join`, because it
    is part of the names of channels.
    """

    def __init__(self, hub: Hub, subscriber: Subscriber, feed: RoomFeed) -> None:
        self._hub, self._subscriber, self._feed = hub, subscriber, feed
        self._rooms: dict[Connection, dict[str, Membership]] = {}
        """Connection → room → membership as the client knows it."""

    # The doors

    async def join(self, connection: Connection, memberships: Mapping[str, Membership]) -> None:
        """Put a connection into rooms, and wait until their channels are subscribed.

        A membership replaces an earlier one of the same room. Nothing is delivered before `deliver_from`.
        """
        for room_id in memberships:
            self.leave(connection, room_id)
        if memberships:
            self._rooms.setdefault(connection, {}).update(memberships)
            await self._subscriber.acquire(self._feed.handlers(connection.epoch, memberships))

    def leave(self, connection: Connection, room_id: str) -> bool:
        """Take a connection out of a room. Returns False if it is not in the room."""
        rooms = self._rooms.get(connection)
        if rooms is None or rooms.pop(room_id, None) is None:
            return False
        if not rooms:
            del self._rooms[connection]
        self._hub.leave(connection, room_id)
        self._subscriber.release([live_channel(connection.epoch, room_id)])
        return True

    def leave_all(self, connection: Connection) -> None:
        """Take a connection out of all of its rooms."""
        for room_id in list(self.of(connection)):
            self.leave(connection, room_id)

    # Inside a room

    def deliver_from(self, connection: Connection, room_id: str, version: int) -> bool:
        """Deliver the events after `version`. Returns False unless the hub is at that version and the room is joined.

        A room without other readers is marked dirty, because the hub did not receive its publications until now.
        """
        membership = self.membership(connection, room_id)
        is_new = self._hub.version_of(room_id) is None
        if membership is None or not self._hub.join(connection, room_id, version, membership.since):
            return False
        if is_new:
            self._feed.mark_dirty(room_id)
        return True

    def update(self, connection: Connection, room_id: str, membership: Membership) -> None:
        """Change the details of a membership, such as `muted` and `silenced`. Its `since` must be the same."""
        self._rooms[connection][room_id] = membership

    # Questions

    def of(self, connection: Connection) -> Mapping[str, Membership]:
        """Return the memberships of a connection by room."""
        return self._rooms.get(connection, _NO_ROOMS)

    def membership(self, connection: Connection, room_id: str) -> Membership | None:
        return self.of(connection).get(room_id)

    def receives(self, connection: Connection, room_id: str) -> bool:
        """Return whether the connection gets the live events of the room."""
        return self._hub.reads(connection, room_id)
