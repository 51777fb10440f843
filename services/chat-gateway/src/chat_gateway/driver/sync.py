"""What changed for a user – rooms, mute marks, friends, profiles – brought to each of its connections.

One way for a hint, a gap, a lost subscription and the background check: fetch what holds now, send what differs.
"""

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Collection, Iterable

from chat_gateway.driver.client import Client
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

USERS_AT_ONCE = 100
CHECK_AT_ONCE = 500


async def follow_changes(gateway: Gateway) -> None:
    """One round over the users that changed."""
    await gateway.users_changed.wait()
    user_ids = list(itertools.islice(gateway.changed_users, USERS_AT_ONCE))
    gateway.changed_users.difference_update(user_ids)
    if not gateway.changed_users:
        gateway.users_changed.clear()
    here = [user_id for user_id in user_ids if user_id in gateway.users]
    spans = _spans(gateway, user_ids, here)
    if not here:
        return
    try:
        memberships, friends = await asyncio.gather(gateway.rooms.memberships(here), gateway.social.friends(here))
        gateway.adopt_epoch(memberships.epoch)
        for user_id in here:
            sync_friends(gateway, user_id, friends.get(user_id) or Friends(0, []))
        await _sync_rooms(
            gateway, {user_id: memberships.users.get(user_id) or UserMemberships(0, {}) for user_id in here}
        )
        while spans:
            spans.pop().end()
        await gateway.presence.recheck(_clients(gateway, here))
    except BaseException:
        for span in spans:
            span.end("failure")
        for user_id in here:
            gateway.user_changed(user_id)
        raise


def _spans(gateway: Gateway, user_ids: Iterable[str], here: Collection[str]) -> list[Span]:
    """Of the changes that are told in this round, one for each that is written down."""
    if not gateway.change_traces:
        return []
    popped = [(user_id, gateway.change_traces.pop(user_id, "")) for user_id in user_ids]
    traced = Counter(trace for user_id, trace in popped if trace and user_id in here)
    begun = (child_span(trace, "deliver", "consumer", {"webchat.receivers": count}) for trace, count in traced.items())
    return [span for span in begun if span is not None]


async def check_users(gateway: Gateway) -> None:
    """Check all sessions and look for missed revisions, once.

    Returns after `Timings.user_check` seconds, or earlier when a subscription is lost.
    """
    gateway.check_now.clear()
    clients = gateway.clients()
    for start in range(0, len(clients), CHECK_AT_ONCE):
        some = clients[start : start + CHECK_AT_ONCE]
        asked = {client.session_id for client in some}
        gone = asked - (await gateway.auth.standing(list(asked))).keys()
        for client in some:
            if client.session_id in gone:
                gateway.end_sessions(client.user_id, gone.__contains__, revoked=False)
    user_ids = list(gateway.users)
    for start in range(0, len(user_ids), CHECK_AT_ONCE):
        await _check_revisions(gateway, user_ids[start : start + CHECK_AT_ONCE])
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
        oldest = min((client.rooms_revision for client in state.clients if client.live), default=0)
        if rooms.revisions.get(user_id, 0) > oldest or social.get(user_id, 0) > state.social_revision:
            gateway.user_changed(user_id)


def _clients(gateway: Gateway, user_ids: Iterable[str]) -> list[Client]:
    states = [gateway.users[user_id] for user_id in user_ids if user_id in gateway.users]
    return [client for state in states for client in state.clients if client.live]


def sync_friends(gateway: Gateway, user_id: str, friends: Friends) -> None:
    """Tell all connections of the user that had their `ready` what is no longer as they were told."""
    state = gateway.users.get(user_id)
    if state is None or friends.revision < state.social_revision:
        return
    before, now = state.friends, {profile.user_id: profile for profile in friends.profiles}
    frames = [
        *(FriendRemoved(user_id=gone) for gone in before if gone not in now),
        *(FriendAdded(profile=profile) for new, profile in now.items() if new not in before),
        *(ProfileUpdated(profile=profile) for id_, profile in now.items() if before.get(id_, profile) != profile),
    ]
    state.friends, state.social_revision = now, friends.revision
    for client in (client for client in state.clients if client.greeted):
        for frame in frames:
            client.push_frame(frame)


async def _sync_rooms(gateway: Gateway, users: dict[str, UserMemberships]) -> None:
    """Take connections out of rooms, then bring them into new ones; one request for the summaries of all users."""
    clients = [client for client in _clients(gateway, users) if client.rooms_revision < users[client.user_id].revision]
    added: dict[str, list[str] | None] = {}
    for client in clients:
        memberships = users[client.user_id].rooms
        await _take_out(gateway, client, [room_id for room_id in client.memberships if room_id not in memberships])
        for room_id, membership in memberships.items():
            known = client.memberships.get(room_id)
            if known is None or known.since < membership.since:
                added[client.user_id] = [*(added.get(client.user_id) or []), room_id]
            elif known.muted != membership.muted:
                client.memberships[room_id] = membership
                client.push_frame(RoomMuted(room_id=room_id, muted=membership.muted))
    homes = (await gateway.rooms.homes(added)).users if added else {}
    for client in clients:
        await _bring_in(gateway, client, homes.get(client.user_id) or RoomList(0, []))
        client.rooms_revision = users[client.user_id].revision


async def _take_out(gateway: Gateway, client: Client, room_ids: list[str]) -> None:
    """The user's own `member.left` comes first, where there is one: the hub delivers it when the room is repaired."""
    await gateway.subscriber.repair([room_id for room_id in room_ids if gateway.hub.reads(client, room_id)])
    for room_id in room_ids:
        if room_id in client.memberships:
            gateway.hub.leave(client, room_id)
            gateway.forget_place(client, room_id)
            client.push_frame(RoomRemoved(room_id=room_id))


async def _bring_in(gateway: Gateway, client: Client, home: RoomList) -> None:
    """What was missed is read on the connection's own time: a slow one holds up nobody, a failure closes it alone."""
    entries = [entry for entry in home.rooms if _is_news(client, entry)]
    for entry in entries:
        gateway.hub.leave(client, entry.room.room_id)
        gateway.forget_place(client, entry.room.room_id)
    client.memberships |= {entry.room.room_id: entry.membership for entry in entries}
    await gateway.subscriber.acquire(gateway.subscriber.room_handlers(entry.room.room_id for entry in entries))
    if not client.live:
        return
    for entry in entries:
        client.push_frame(RoomAdded(room=entry.room))
    versions = {entry.room.room_id: entry.room.version for entry in entries}
    client.spawn(join_rooms(gateway, client, dict(versions), versions))


def _is_news(client: Client, entry: RoomEntry) -> bool:
    known = client.memberships.get(entry.room.room_id)
    return client.live and (known is None or known.since < entry.membership.since)
