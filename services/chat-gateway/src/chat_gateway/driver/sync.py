"""Synchronisation: sends a user's changed rooms, mutes, friends and profiles to the user's connections.

Notifications, gaps, lost subscriptions and the background check all lead to the same procedure: load the current
state, and send the differences.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping

from chat_gateway.driver.connection import UserConnection
from chat_gateway.driver.gateway import Gateway
from chat_gateway.driver.joining import join_rooms
from chat_gateway.protocol.frames import (
    FriendAdded,
    FriendRemoved,
    ProfileUpdated,
    RoomAdded,
    RoomMuted,
    RoomRemoved,
)
from shared.contracts.rooms import RoomEntry, RoomList, UserMemberships
from shared.contracts.social import Friends
from shared.tracing.spans import Span, child_span

log = logging.getLogger(__name__)

CHECKS_PER_CALL = 500


async def sync_users(gateway: Gateway, changed: Mapping[str, str]) -> None:
    """Send these users what changed. Their values are the traceparents of the changes, if sampled."""
    user_ids = [user_id for user_id in changed if user_id in gateway.users]
    spans = _start_spans(changed, user_ids)
    if not user_ids:
        return
    try:
        memberships, friends = await asyncio.gather(
            gateway.rooms.memberships(user_ids), gateway.social.friends(user_ids)
        )
        gateway.adopt_epoch(memberships.epoch)
        for user_id in user_ids:
            sync_friends(gateway, user_id, friends.get(user_id) or Friends(0, []))
        users = {user_id: memberships.users.get(user_id) or UserMemberships(0, {}) for user_id in user_ids}
        await _sync_rooms(gateway, users)
        while spans:
            spans.pop().end()
        await gateway.presence.recheck(_live_connections(gateway, user_ids))
    except BaseException:
        for span in spans:
            span.end("failure")
        raise


def _start_spans(changed: Mapping[str, str], user_ids: Iterable[str]) -> list[Span]:
    """Start a span for each sampled change of this round. `user_ids` are the users with a connection here."""
    receivers = Counter(filter(None, (changed[user_id] for user_id in user_ids)))
    spans = (child_span(trace, "deliver", "consumer", {"webchat.receivers": n}) for trace, n in receivers.items())
    return [span for span in spans if span is not None]


async def check_users(gateway: Gateway) -> None:
    """Check all sessions and look for missed revisions, once.

    Returns after `Timings.user_check` seconds, or earlier when a subscription is lost.
    """
    gateway.check_now.clear()
    connections = gateway.connections()
    for start in range(0, len(connections), CHECKS_PER_CALL):
        checked = connections[start : start + CHECKS_PER_CALL]
        session_ids = {connection.session_id for connection in checked}
        gone = session_ids - (await gateway.auth.active_sessions(list(session_ids))).keys()
        for connection in checked:
            if connection.session_id in gone:
                gateway.end_sessions(connection.user_id, gone.__contains__, revoked=False)
    user_ids = list(gateway.users)
    for start in range(0, len(user_ids), CHECKS_PER_CALL):
        await _check_revisions(gateway, user_ids[start : start + CHECKS_PER_CALL])
    try:
        async with asyncio.timeout(gateway.timings.user_check):
            await gateway.check_now.wait()
    except TimeoutError:
        return


async def _check_revisions(gateway: Gateway, user_ids: list[str]) -> None:
    rooms, social = await asyncio.gather(gateway.rooms.revisions(user_ids), gateway.social.revisions(user_ids))
    gateway.adopt_epoch(rooms.epoch)
    for user_id in user_ids:
        state = gateway.users.get(user_id)
        if state is None:
            continue
        oldest = min((connection.rooms_revision for connection in state.connections if connection.live), default=0)
        if rooms.revisions.get(user_id, 0) > oldest or social.get(user_id, 0) > state.social_revision:
            gateway.user_changed(user_id)


def _live_connections(gateway: Gateway, user_ids: Iterable[str]) -> list[UserConnection]:
    states = [gateway.users[user_id] for user_id in user_ids if user_id in gateway.users]
    return [connection for state in states for connection in state.connections if connection.live]


def sync_friends(gateway: Gateway, user_id: str, friends: Friends) -> None:
    """Send the changes of a friend list to all connections of the user that already got `ready`."""
    state = gateway.users.get(user_id)
    if state is None or friends.revision < state.social_revision:
        return
    before, now = state.friends, {profile.user_id: profile for profile in friends.profiles}
    frames = [
        *(FriendRemoved(user_id=removed) for removed in before if removed not in now),
        *(FriendAdded(profile=profile) for added, profile in now.items() if added not in before),
        *(ProfileUpdated(profile=profile) for id_, profile in now.items() if before.get(id_, profile) != profile),
    ]
    state.friends, state.social_revision = now, friends.revision
    for connection in (connection for connection in state.connections if connection.handshake_done):
        for frame in frames:
            connection.push_frame(frame)


async def _sync_rooms(gateway: Gateway, users: dict[str, UserMemberships]) -> None:
    """Remove connections from rooms, then add them to new ones. One request loads the new rooms of all users."""
    connections = [
        connection
        for connection in _live_connections(gateway, users)
        if connection.rooms_revision < users[connection.user_id].revision
    ]
    added: dict[str, list[str] | None] = {}
    for connection in connections:
        memberships = users[connection.user_id].rooms
        removed = [room_id for room_id in gateway.room_subscriptions.of(connection) if room_id not in memberships]
        await _remove_from_rooms(gateway, connection, removed)
        for room_id, membership in memberships.items():
            known = gateway.room_subscriptions.membership(connection, room_id)
            if known is None or known.since < membership.since:
                added[connection.user_id] = [*(added.get(connection.user_id) or []), room_id]
            elif known.muted != membership.muted:
                gateway.room_subscriptions.update(connection, room_id, membership)
                connection.push_frame(RoomMuted(room_id=room_id, muted=membership.muted))
    room_lists = (await gateway.rooms.room_lists(added)).users if added else {}
    for connection in connections:
        await _add_to_rooms(gateway, connection, room_lists.get(connection.user_id) or RoomList(0, []))
        connection.rooms_revision = users[connection.user_id].revision


async def _remove_from_rooms(gateway: Gateway, connection: UserConnection, room_ids: list[str]) -> None:
    """Send `room.removed`. The rooms are repaired first, so that the hub delivers the user's `member.left` before."""
    await gateway.subscriber.repair([room_id for room_id in room_ids if gateway.hub.reads(connection, room_id)])
    for room_id in room_ids:
        if gateway.room_subscriptions.leave(connection, room_id):
            connection.push_frame(RoomRemoved(room_id=room_id))


async def _add_to_rooms(gateway: Gateway, connection: UserConnection, room_list: RoomList) -> None:
    """Send `room.added`, and join the rooms in a task of the connection, so that a slow one delays no others."""
    entries = [entry for entry in room_list.rooms if _is_new(gateway, connection, entry)]
    memberships = {entry.room.room_id: entry.membership for entry in entries}
    await gateway.room_subscriptions.join(connection, memberships)
    if not connection.live:
        return
    for entry in entries:
        connection.push_frame(RoomAdded(room=entry.room))
    versions = {entry.room.room_id: entry.room.version for entry in entries}
    connection.spawn(join_rooms(gateway, connection, dict(versions), versions))


def _is_new(gateway: Gateway, connection: UserConnection, entry: RoomEntry) -> bool:
    known = gateway.room_subscriptions.membership(connection, entry.room.room_id)
    return connection.live and (known is None or known.since < entry.membership.since)
