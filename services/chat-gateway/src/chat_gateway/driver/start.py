"""What follows a `hello`: the session is checked, `ready` sent, then what was missed, then the connection is live."""

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
from shared.errors import Unavailable
from shared.redis.client import REDIS_DOWN
from shared.roomlog.frames import text_frame
from shared.streams.notifications import ConnectionsEvicted, publish_notifications

log = logging.getLogger(__name__)


async def start(gateway: Gateway, connection: UserConnection, hello: Hello) -> None:
    """Bring a connection live; where a part of WebChat is away it is told so and closed, to come back."""
    try:
        async with asyncio.timeout(gateway.timings.start):
            home = await _greet(gateway, connection)
            if home is None:
                return
        await _resume(gateway, connection, hello, home)
    except (Unavailable, *REDIS_DOWN) as error:
        log.warning("a connection could not start: %r", error)
        metrics.ERRORS.of("unavailable").inc()
        detail = "WebChat is not complete right now: come back in a moment."
        connection.transport.enqueue(text_frame(error_payload(hello.id, "unavailable", detail, retry_after=1)))
        connection.transport.close(CloseCode.TRY_AGAIN, "a part of WebChat is away")


async def _greet(gateway: Gateway, connection: UserConnection) -> RoomList | None:
    """Subscribe to the user's channel first, then check the session: a revocation is heard or seen."""
    await gateway.register(connection)
    user = await gateway.sessions.find(connection.session_id)
    if user is None:
        connection.protocol.closing = True
        connection.transport.close(CloseCode.SESSION_GONE, "the session is gone")
        return None
    found, friends = await asyncio.gather(
        gateway.room_lists.find(connection.user_id), gateway.friends.find(connection.user_id)
    )
    assert found is not None
    epoch, home = found
    gateway.adopt_epoch(epoch)
    if connection.protocol.closing:  # by the new epoch: it has departed
        return None
    connection.epoch = epoch
    connection.memberships = {entry.room.room_id: entry.membership for entry in home.rooms}
    connection.rooms_revision = home.revision
    await gateway.subscriber.acquire(gateway.subscriber.room_handlers(connection.memberships))
    await _count_sockets(gateway, connection)
    await _send_ready(gateway, connection, user, home, friends or Friends(0, []))
    return home


async def _count_sockets(gateway: Gateway, connection: UserConnection) -> None:
    ids = await gateway.presence.register(connection)
    if len(ids) > gateway.limits.sockets_per_user:
        oldest = ConnectionsEvicted(ids[: -gateway.limits.sockets_per_user])
        await publish_notifications(gateway.redis, [(connection.user_id, oldest)])


async def _send_ready(
    gateway: Gateway, connection: UserConnection, user: User, home: RoomList, friends: Friends
) -> None:
    sync_friends(gateway, connection.user_id, friends)
    ready = Ready(
        session_id=connection.session_id,
        user=user,
        friends=list(gateway.users[connection.user_id].friends.values()),
        rooms=[entry.room for entry in home.rooms],
        heartbeat=int(gateway.limits.heartbeat_seconds),
        epoch=connection.epoch,
    )
    connection.handshake_done = True
    await connection.transport.send(connection.encode(ready))
    connection.transport.process_frames()


async def _resume(gateway: Gateway, connection: UserConnection, hello: Hello, home: RoomList) -> None:
    metrics.STARTS.of("resumed" if hello.cursors else "fresh").inc()
    same_log = hello.epoch == connection.epoch
    cursors: dict[str, int] = {}
    heads: dict[str, int] = {}
    for entry in home.rooms:
        room_id = entry.room.room_id
        cursor, joined_version = hello.cursors.get(room_id), entry.membership.joined_version
        begin = resume_point(cursor, head=entry.room.version, joined_version=joined_version, same_log=same_log)
        cursors[room_id], heads[room_id] = begin.version, entry.room.version
        if begin.reset:
            metrics.RESETS.inc()
            await connection.transport.send(connection.encode(RoomReset(room_id=room_id)))
    await join_rooms(gateway, connection, cursors, heads)
    connection.live = True
    gateway.user_changed(connection.user_id)
