"""Synchronisation of rooms: takes connections out of rooms that their users left, and puts them into new ones."""

from collections.abc import Iterable, Mapping

import msgspec

from chat_gateway.clients.rooms import Rooms
from chat_gateway.driver.joining import RoomJoiner
from chat_gateway.driver.live_rooms import LiveRooms
from chat_gateway.driver.output import push_frame
from chat_gateway.driver.tasks import ConnectionTasks
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.frames import RoomAdded, RoomMuted, RoomRemoved
from shared.contracts.rooms import Membership, RoomEntry, RoomList, UserMemberships


class RoomSync:
    def __init__(self, live_rooms: LiveRooms, joiner: RoomJoiner, tasks: ConnectionTasks, rooms: Rooms) -> None:
        self._subscriptions, self._feed = live_rooms.subscriptions, live_rooms.feed
        self._joiner, self._tasks, self._rooms = joiner, tasks, rooms

    async def sync(self, connections: Iterable[Connection], users: Mapping[str, UserMemberships]) -> None:
        """Bring connections to the rooms of their users. One request loads the new rooms of all users."""
        outdated = [one for one in connections if one.rooms_revision < users[one.user_id].revision]
        added: dict[str, list[str] | None] = {}
        for connection in outdated:
            memberships = users[connection.user_id].rooms
            await self._remove(connection, memberships)
            self._update_details(connection, memberships)
            if new := [room_id for room_id, known in memberships.items() if self._is_new(connection, room_id, known)]:
                added[connection.user_id] = [*(added.get(connection.user_id) or []), *new]
        room_lists = (await self._rooms.room_lists(added)).users if added else {}
        for connection in outdated:
            await self._add(connection, room_lists.get(connection.user_id) or RoomList(0, []))
            connection.rooms_revision = users[connection.user_id].revision

    async def _remove(self, connection: Connection, memberships: Mapping[str, Membership]) -> None:
        """Send `room.removed`. The rooms are repaired first, so that the hub delivers the user's departure before."""
        removed = [room_id for room_id in self._subscriptions.of(connection) if room_id not in memberships]
        await self._feed.repair([room_id for room_id in removed if self._subscriptions.receives(connection, room_id)])
        for room_id in removed:
            if self._subscriptions.leave(connection, room_id):
                push_frame(connection, RoomRemoved(room_id=room_id))

    def _update_details(self, connection: Connection, memberships: Mapping[str, Membership]) -> None:
        """Keep whether the user is silenced, and send whether the room is muted."""
        for room_id, membership in memberships.items():
            known = self._subscriptions.membership(connection, room_id)
            if known is None or known.since < membership.since:
                continue
            muted, silenced = membership.muted, membership.silenced
            if (known.muted, known.silenced) != (muted, silenced):
                changed = msgspec.structs.replace(known, muted=muted, silenced=silenced)
                self._subscriptions.update(connection, room_id, changed)
            if known.muted != muted:
                push_frame(connection, RoomMuted(room_id=room_id, muted=muted))

    def _is_new(self, connection: Connection, room_id: str, membership: Membership) -> bool:
        known = self._subscriptions.membership(connection, room_id)
        return known is None or known.since < membership.since

    async def _add(self, connection: Connection, room_list: RoomList) -> None:
        """Send `room.added`, and join the rooms in a task of the connection, so that a slow one delays no others."""
        new = [entry for entry in room_list.rooms if self._is_new(connection, entry.room.room_id, entry.membership)]
        if not new or not connection.live:
            return
        await self._subscriptions.join(connection, {entry.room.room_id: entry.membership for entry in new})
        if connection.live:
            self._announce(connection, new)

    def _announce(self, connection: Connection, entries: list[RoomEntry]) -> None:
        for entry in entries:
            push_frame(connection, RoomAdded(room=entry.room))
        versions = {entry.room.room_id: entry.room.version for entry in entries}
        self._tasks.spawn(connection, self._joiner.join(connection, versions, versions))
