"""Joining rooms: a connection gets the events that it missed, and then joins at exactly the hub's version."""

import logging

from chat_gateway import metrics
from chat_gateway.driver.connection import UserConnection
from chat_gateway.driver.gateway import Gateway
from chat_gateway.event_loader import EventPage
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.frames import RoomRemoved, RoomReset
from chat_gateway.protocol.resume import split_at_leave

log = logging.getLogger(__name__)

ROOMS_AT_ONCE = 50
MAX_ROUNDS = 200


async def join_rooms(
    gateway: Gateway, connection: UserConnection, cursors: dict[str, int], heads: dict[str, int]
) -> None:
    """Send the events after the cursors, and join all rooms.

    `heads` are the versions of the snapshot that the client has. The connection is subscribed to the rooms' channels
    already. A room is skipped once the user left it, even if they rejoined: a separate call handles the new membership.
    """
    memberships = gateway.room_subscriptions.of(connection)
    since = {room_id: membership.since for room_id, membership in memberships.items() if room_id in cursors}
    lagging = {room_id for room_id, version in cursors.items() if version < heads[room_id]}
    _try_join(gateway, connection, since, cursors, [room_id for room_id in cursors if room_id not in lagging])
    for _ in range(MAX_ROUNDS):
        rooms = [room_id for room_id in cursors if _is_member(gateway, connection, since, room_id)][:ROOMS_AT_ONCE]
        if not rooms:
            break
        wanted = {room_id: cursors[room_id] for room_id in rooms}
        complete = await _send_missed(gateway, connection, since, wanted, cursors)
        _try_join(gateway, connection, since, cursors, complete)
        ahead = [room_id for room_id in complete if cursors.get(room_id, 0) > (gateway.hub.version_of(room_id) or 0)]
        if ahead:
            await gateway.subscriber.repair(ahead)
            _try_join(gateway, connection, since, cursors, ahead)
    else:
        connection.transport.close(CloseCode.SLOW_READER, "the rooms change faster than this connection reads")


def _is_member(gateway: Gateway, connection: UserConnection, since: dict[str, int], room_id: str) -> bool:
    """Return whether the user still has the membership that `join_rooms` started with."""
    membership = gateway.room_subscriptions.membership(connection, room_id)
    return membership is not None and membership.since == since.get(room_id)


def _try_join(
    gateway: Gateway, connection: UserConnection, since: dict[str, int], cursors: dict[str, int], room_ids: list[str]
) -> None:
    """Join the rooms in which the hub is at the cursor, and remove them from `cursors`."""
    for room_id in room_ids:
        version = cursors.get(room_id)
        if version is None or not _is_member(gateway, connection, since, room_id):
            continue
        if gateway.room_subscriptions.deliver_from(connection, room_id, version):
            del cursors[room_id]


async def _send_missed(
    gateway: Gateway,
    connection: UserConnection,
    since: dict[str, int],
    wanted: dict[str, int],
    cursors: dict[str, int],
) -> list[str]:
    """Send the events after the cursors and advance the cursors. Returns the rooms that have no later events."""
    known = {room_id: gateway.hub.version_of(room_id) or 0 for room_id in wanted}
    pages = await gateway.event_loader.load_after(connection.epoch, wanted, known)
    complete = []
    for room_id in wanted:
        page = pages.get(room_id)
        if page is None or not _is_member(
            gateway, connection, since, room_id
        ):  # the room was deleted, or the user left it
            cursors.pop(room_id)
        elif page.gone:
            metrics.RESETS.inc()
            await _send(connection, RoomReset(room_id=room_id))
            cursors[room_id] = page.head
            complete.append(room_id)
        elif await _send_page(gateway, connection, since, room_id, page):
            cursors[room_id] += len(page.frames)
            if page.complete:
                complete.append(room_id)
        else:
            cursors.pop(room_id)
    return complete


async def _send_page(
    gateway: Gateway, connection: UserConnection, since: dict[str, int], room_id: str, page: EventPage
) -> bool:
    """Send the frames of a page. Returns False if the user left the room: frames after that are not sent."""
    frames, left = split_at_leave(page.frames, connection.user_id, since[room_id])
    if frames:
        await connection.transport.send(b"".join(frames))
    if left and _is_member(gateway, connection, since, room_id):
        gateway.room_subscriptions.leave(connection, room_id)
        await _send(connection, RoomRemoved(room_id=room_id))
    return not left


async def _send(connection: UserConnection, frame: RoomReset | RoomRemoved) -> None:
    await connection.transport.send(connection.encode(frame))
