"""Starts a connection after its `hello`: checks the session, sends `ready` and the missed events, and joins rooms."""

import asyncio
import logging

from chat_gateway import metrics
from chat_gateway.driver.connection import UserConnection
from chat_gateway.driver.gateway import Gateway
from chat_gateway.driver.joining import join_rooms
from chat_gateway.driver.sync import sync_friends
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.frames import Hello, Ready, RoomReset
from chat_gateway.protocol.resume import resume_point
from chat_gateway.protocol.state import error_payload
from shared.contracts.auth import User
from shared.contracts.rooms import RoomList
from shared.contracts.social import Friends
from shared.errors import ErrorCode, Unavailable
from shared.redis.client import REDIS_DOWN
from shared.roomlog.frames import text_frame
from shared.streams.notifications import ConnectionsEvicted, publish_notifications

log = logging.getLogger(__name__)


async def start(gateway: Gateway, connection: UserConnection, hello: Hello) -> None:
    """Bring a connection live. If a service or Redis is unavailable, reply with an error and close the connection."""
    try:
        async with asyncio.timeout(gateway.timings.start):
            room_list = await _finish_handshake(gateway, connection)
            if room_list is None:
                return
        await _resume(gateway, connection, hello, room_list)
    except (Unavailable, *REDIS_DOWN) as error:
        log.warning("a connection could not start: %r", error)
        metrics.ERRORS.of(ErrorCode.UNAVAILABLE).inc()
        detail = "A part of WebChat is unavailable. Try again in a moment."
        payload = error_payload(hello.id, ErrorCode.UNAVAILABLE, detail, retry_after=1)
        connection.transport.enqueue(text_frame(payload))
        connection.transport.close(CloseCode.TRY_AGAIN, "a part of WebChat is unavailable")


async def _finish_handshake(gateway: Gateway, connection: UserConnection) -> RoomList | None:
    """Check the session and send `ready`. Returns the user's rooms, or None if the connection is closed.

    The user's channel is subscribed before the session is checked, so that a revocation cannot be missed.
    """
    await gateway.register(connection)
    user = await gateway.sessions.load(connection.session_id)
    if user is None:
        connection.protocol.closing = True
        connection.transport.close(CloseCode.SESSION_GONE, "the session has ended")
        return None
    loaded, friends = await asyncio.gather(
        gateway.room_lists.load(connection.user_id), gateway.friends.load(connection.user_id)
    )
    assert loaded is not None
    epoch, room_list = loaded
    gateway.adopt_epoch(epoch)
    if connection.protocol.closing:  # by the new epoch, which also unregistered the connection
        return None
    connection.epoch = epoch
    connection.rooms_revision = room_list.revision
    memberships = {entry.room.room_id: entry.membership for entry in room_list.rooms}
    await gateway.room_subscriptions.join(connection, memberships)
    await _evict_oldest(gateway, connection)
    await _send_ready(gateway, connection, user, room_list, friends or Friends(0, []))
    return room_list


async def _evict_oldest(gateway: Gateway, connection: UserConnection) -> None:
    """Register presence, and close the user's oldest connections on all gateways if there are too many."""
    ids = await gateway.presence.register(connection)
    if len(ids) > gateway.limits.sockets_per_user:
        oldest = ConnectionsEvicted(ids[: -gateway.limits.sockets_per_user])
        await publish_notifications(gateway.redis, [(connection.user_id, oldest)])


async def _send_ready(
    gateway: Gateway, connection: UserConnection, user: User, room_list: RoomList, friends: Friends
) -> None:
    sync_friends(gateway, connection.user_id, friends)
    ready = Ready(
        session_id=connection.session_id,
        user=user,
        friends=list(gateway.users[connection.user_id].friends.values()),
        rooms=[entry.room for entry in room_list.rooms],
        heartbeat=int(gateway.limits.heartbeat_seconds),
        epoch=connection.epoch,
    )
    connection.handshake_done = True
    await connection.transport.send(connection.encode(ready))
    connection.transport.process_frames()


async def _resume(gateway: Gateway, connection: UserConnection, hello: Hello, room_list: RoomList) -> None:
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
            await connection.transport.send(connection.encode(RoomReset(room_id=room_id)))
    await join_rooms(gateway, connection, cursors, heads)
    connection.live = True
    gateway.user_changed(connection.user_id)
