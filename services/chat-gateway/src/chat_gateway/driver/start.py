"""What follows a `hello`: the session is checked, `ready` sent, then what was missed, then the connection is live."""

import asyncio
import logging

from chat_gateway import meters
from chat_gateway.driver.client import Client
from chat_gateway.driver.gateway import Gateway
from chat_gateway.driver.joining import join_rooms
from chat_gateway.driver.sync import sync_friends
from chat_gateway.protocol.connection import error_payload
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.frames import Hello, Ready, RoomReset
from chat_gateway.protocol.resume import start_of
from shared.contracts.auth import User
from shared.contracts.rooms import RoomList
from shared.contracts.social import Friends
from shared.errors import Unavailable
from shared.redis.client import REDIS_DOWN
from shared.roomlog.frames import text_frame
from shared.streams.notifications import ConnectionsEvicted, publish_notifications

log = logging.getLogger(__name__)


async def start(gateway: Gateway, client: Client, hello: Hello) -> None:
    """Bring a connection live; where a part of WebChat is away it is told so and closed, to come back."""
    try:
        async with asyncio.timeout(gateway.timings.start):
            home = await _greet(gateway, client)
            if home is None:
                return
        await _resume(gateway, client, hello, home)
    except (Unavailable, *REDIS_DOWN) as error:
        log.warning("a connection could not start: %r", error)
        meters.ERRORS.of("unavailable").inc()
        detail = "WebChat is not complete right now: come back in a moment."
        client.wire.answer(text_frame(error_payload(hello.id, "unavailable", detail, retry_after=1)))
        client.wire.close(CloseCode.TRY_AGAIN, "a part of WebChat is away")


async def _greet(gateway: Gateway, client: Client) -> RoomList | None:
    """Subscribe to the user's channel first, then check the session: a revocation is heard or seen."""
    await gateway.enter(client)
    user = await gateway.sessions.find(client.session_id)
    if user is None:
        client.connection.closing = True
        client.wire.close(CloseCode.SESSION_GONE, "the session is gone")
        return None
    found, friends = await asyncio.gather(gateway.homes.find(client.user_id), gateway.friends.find(client.user_id))
    assert found is not None
    epoch, home = found
    gateway.adopt_epoch(epoch)
    if client.connection.closing:  # by the new epoch: it has departed
        return None
    client.epoch = epoch
    client.memberships = {entry.room.room_id: entry.membership for entry in home.rooms}
    client.rooms_revision = home.revision
    await gateway.subscriber.acquire(gateway.subscriber.room_handlers(client.memberships))
    await _count_sockets(gateway, client)
    await _send_ready(gateway, client, user, home, friends or Friends(0, []))
    return home


async def _count_sockets(gateway: Gateway, client: Client) -> None:
    ids = await gateway.presence.arrive(client)
    if len(ids) > gateway.limits.sockets_per_user:
        oldest = ConnectionsEvicted(ids[: -gateway.limits.sockets_per_user])
        await publish_notifications(gateway.redis, [(client.user_id, oldest)])


async def _send_ready(gateway: Gateway, client: Client, user: User, home: RoomList, friends: Friends) -> None:
    sync_friends(gateway, client.user_id, friends)
    ready = Ready(
        session_id=client.session_id,
        user=user,
        friends=list(gateway.users[client.user_id].friends.values()),
        rooms=[entry.room for entry in home.rooms],
        heartbeat=int(gateway.limits.heartbeat_seconds),
        epoch=client.epoch,
    )
    client.greeted = True
    await client.wire.send(client.encode(ready))
    client.wire.read_on()


async def _resume(gateway: Gateway, client: Client, hello: Hello, home: RoomList) -> None:
    meters.STARTS.of("resumed" if hello.cursors else "fresh").inc()
    same_log = hello.epoch == client.epoch
    cursors: dict[str, int] = {}
    heads: dict[str, int] = {}
    for entry in home.rooms:
        room_id = entry.room.room_id
        cursor, joined_version = hello.cursors.get(room_id), entry.membership.joined_version
        begin = start_of(cursor, head=entry.room.version, joined_version=joined_version, same_log=same_log)
        cursors[room_id], heads[room_id] = begin.version, entry.room.version
        if begin.reset:
            meters.RESETS.inc()
            await client.wire.send(client.encode(RoomReset(room_id=room_id)))
    await join_rooms(gateway, client, cursors, heads)
    client.live = True
    gateway.user_changed(client.user_id)
