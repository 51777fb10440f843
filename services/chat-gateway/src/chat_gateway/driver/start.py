"""Starts a connection after its `hello`: checks the session, sends `ready` and the missed events, and joins rooms."""

import asyncio
import logging

from chat_gateway import metrics
from chat_gateway.driver.connections import Connections
from chat_gateway.driver.joining import RoomJoiner
from chat_gateway.driver.live_rooms import LiveRooms
from chat_gateway.driver.lookups import Lookups
from chat_gateway.driver.output import close, send_frame, write_error
from chat_gateway.driver.user_sync import UserSync
from chat_gateway.presence import Presence
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.frames import Hello, Ready, RoomReset
from chat_gateway.protocol.limits import Limits
from chat_gateway.protocol.resume import resume_point
from chat_gateway.socket_limit import SocketLimit
from chat_gateway.timings import Timings
from shared.contracts.auth import User
from shared.contracts.rooms import RoomList
from shared.contracts.social import Friends
from shared.errors import ErrorCode, Unavailable
from shared.redis.client import REDIS_DOWN

log = logging.getLogger(__name__)


class Starter:
    def __init__(
        self,
        connections: Connections,
        live_rooms: LiveRooms,
        joiner: RoomJoiner,
        user_sync: UserSync,
        presence: Presence,
        lookups: Lookups,
        socket_limit: SocketLimit,
        *,
        limits: Limits,
        timings: Timings,
    ) -> None:
        self._connections, self._live_rooms, self._joiner = connections, live_rooms, joiner
        self._user_sync, self._presence, self._lookups = user_sync, presence, lookups
        self._socket_limit, self._limits, self._timings = socket_limit, limits, timings

    async def start(self, connection: Connection, hello: Hello) -> None:
        """Bring a connection live. If a service or Redis is unavailable, reply with an error and close it."""
        try:
            async with asyncio.timeout(self._timings.start):
                room_list = await self._finish_handshake(connection)
                if room_list is None:
                    return
            await self._resume(connection, hello, room_list)
        except (Unavailable, *REDIS_DOWN) as error:
            log.warning("a connection could not start: %r", error)
            detail = "A part of WebChat is unavailable. Try again in a moment."
            write_error(connection, hello.id, ErrorCode.UNAVAILABLE, detail, retry_after=1)
            connection.transport.close(CloseCode.TRY_AGAIN, "a part of WebChat is unavailable")

    async def _finish_handshake(self, connection: Connection) -> RoomList | None:
        """Check the session and send `ready`. Returns the user's rooms, or None if the connection is closed.

        The user's channel is subscribed before the session is checked, so that a revocation cannot be missed.
        """
        await self._connections.register(connection)
        user = await self._lookups.sessions.load(connection.session_id)
        if user is None:
            close([connection], CloseCode.SESSION_GONE, "the session has ended")
            return None
        loaded, friends = await asyncio.gather(
            self._lookups.room_lists.load(connection.user_id), self._lookups.friends.load(connection.user_id)
        )
        assert loaded is not None
        epoch, room_list = loaded
        self._live_rooms.adopt_epoch(epoch)
        if connection.closing:  # by the new epoch, which also unregistered the connection
            return None
        await self._join(connection, epoch, room_list)
        await self._register_presence(connection)
        await self._send_ready(connection, user, room_list, friends or Friends(0, []))
        return room_list

    async def _join(self, connection: Connection, epoch: str, room_list: RoomList) -> None:
        connection.epoch, connection.rooms_revision = epoch, room_list.revision
        memberships = {entry.room.room_id: entry.membership for entry in room_list.rooms}
        await self._live_rooms.subscriptions.join(connection, memberships)

    async def _register_presence(self, connection: Connection) -> None:
        """Register presence. If the user has too many connections, close the oldest: here now, elsewhere later."""
        limit = self._limits.sockets_per_user
        if await self._presence.register(connection) > limit:
            here = sorted(one.id for one in self._connections.of(connection.user_id))
            self._connections.evict(connection.user_id, here[:-limit])
            self._socket_limit.exceeded(connection.user_id)

    async def _send_ready(self, connection: Connection, user: User, room_list: RoomList, friends: Friends) -> None:
        self._user_sync.sync_friends(connection.user_id, friends)
        ready = Ready(
            session_id=connection.session_id,
            user=user,
            friends=list(self._connections.users[connection.user_id].friends.values()),
            rooms=[entry.room for entry in room_list.rooms],
            heartbeat=int(self._limits.heartbeat_seconds),
            epoch=connection.epoch,
        )
        connection.handshake_done = True
        await send_frame(connection, ready)
        connection.transport.wake()

    async def _resume(self, connection: Connection, hello: Hello, room_list: RoomList) -> None:
        metrics.STARTS.of("resumed" if hello.cursors else "fresh").inc()
        same_log = hello.epoch == connection.epoch
        cursors: dict[str, int] = {}
        heads: dict[str, int] = {}
        for entry in room_list.rooms:
            room_id = entry.room.room_id
            cursor, joined_version = hello.cursors.get(room_id), entry.membership.joined_version
            point = resume_point(cursor, head=entry.room.version, joined_version=joined_version, same_log=same_log)
            cursors[room_id], heads[room_id] = point.version, entry.room.version
            if point.reset:
                metrics.RESETS.inc()
                await send_frame(connection, RoomReset(room_id=room_id))
        await self._joiner.join(connection, cursors, heads)
        connection.live = True
        self._user_sync.connection_started(connection.user_id)
