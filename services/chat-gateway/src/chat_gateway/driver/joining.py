"""How a connection gets into rooms: what it missed is written first, then it joins at exactly the hub's version."""

import logging

from chat_gateway import meters
from chat_gateway.driver.client import Client
from chat_gateway.driver.gateway import Gateway
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.frames import RoomRemoved, RoomReset
from chat_gateway.protocol.resume import until_left
from chat_gateway.room_log import Found

log = logging.getLogger(__name__)

ROOMS_AT_ONCE = 50
ROUNDS = 200


async def join_rooms(gateway: Gateway, client: Client, cursors: dict[str, int], heads: dict[str, int]) -> None:
    """Bring the connection, which has each room up to its cursor, live in all of them.

    `heads` are the versions of the snapshot that it was given. Its room channels are subscribed to already. Skips a
    room once the user has left it, even if they rejoined: a separate call handles the new membership.
    """
    since = {room_id: membership.since for room_id, membership in client.memberships.items() if room_id in cursors}
    behind = {room_id: version for room_id, version in cursors.items() if version < heads[room_id]}
    _try_join(gateway, client, since, cursors, [room_id for room_id in cursors if room_id not in behind])
    for _ in range(ROUNDS):
        rooms = [room_id for room_id in cursors if _is_member(client, since, room_id)][:ROOMS_AT_ONCE]
        if not rooms:
            break
        complete = await _read_on(gateway, client, since, {room_id: cursors[room_id] for room_id in rooms}, cursors)
        _try_join(gateway, client, since, cursors, complete)
        ahead = [room_id for room_id in complete if cursors.get(room_id, 0) > (gateway.hub.version_of(room_id) or 0)]
        if ahead:
            await gateway.subscriber.repair(ahead)
            _try_join(gateway, client, since, cursors, ahead)
    else:
        client.wire.close(CloseCode.SLOW_READER, "the rooms move faster than this connection reads")


def _is_member(client: Client, since: dict[str, int], room_id: str) -> bool:
    """Return whether the user still has the membership that `join_rooms` started with."""
    membership = client.memberships.get(room_id)
    return membership is not None and membership.since == since.get(room_id)


def _try_join(
    gateway: Gateway, client: Client, since: dict[str, int], cursors: dict[str, int], room_ids: list[str]
) -> None:
    """Join where the hub is at the cursor; joined rooms leave `cursors`. One that this opens is read once more."""
    for room_id in room_ids:
        version = cursors.get(room_id)
        if version is None or not _is_member(client, since, room_id):
            continue
        new = gateway.hub.version_of(room_id) is None
        if gateway.hub.join(client, room_id, version, since[room_id]):
            del cursors[room_id]
            if new:
                gateway.subscriber.tear(room_id)


async def _read_on(
    gateway: Gateway, client: Client, since: dict[str, int], wanted: dict[str, int], cursors: dict[str, int]
) -> list[str]:
    """Write what comes after the cursors and advance them; returns the rooms of which that was all."""
    known = {room_id: gateway.hub.version_of(room_id) or 0 for room_id in wanted}
    found = await gateway.room_log.read_after(client.epoch, wanted, known)
    complete = []
    for room_id in wanted:
        answer = found.get(room_id)
        if answer is None or not _is_member(client, since, room_id):  # the room no longer exists, or the user left it
            cursors.pop(room_id)
        elif answer.gone:
            meters.RESETS.inc()
            await _send(client, RoomReset(room_id=room_id))
            cursors[room_id] = answer.head
            complete.append(room_id)
        elif await _send_frames(gateway, client, since, room_id, answer):
            cursors[room_id] += len(answer.frames)
            if answer.complete:
                complete.append(room_id)
        else:
            cursors.pop(room_id)
    return complete


async def _send_frames(gateway: Gateway, client: Client, since: dict[str, int], room_id: str, found: Found) -> bool:
    """False where the user left the room in them: nothing after that is sent."""
    frames, left = until_left(found.frames, client.user_id, since[room_id])
    if frames:
        await client.wire.send(b"".join(frames))
    if left and _is_member(client, since, room_id):
        gateway.forget_place(client, room_id)
        await _send(client, RoomRemoved(room_id=room_id))
    return not left


async def _send(client: Client, frame: RoomReset | RoomRemoved) -> None:
    await client.wire.send(client.encode(frame))
