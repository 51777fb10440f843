"""Synchronisation: sends a user's changed rooms, mutes, friends and profiles to the user's connections.

Notifications, gaps, lost subscriptions and the background check all lead to the same procedure: load the current
state, and send the differences.
"""

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Mapping

from chat_gateway.clients.auth import Auth
from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from chat_gateway.driver.connections import Connections
from chat_gateway.driver.live_rooms import LiveRooms
from chat_gateway.driver.output import push_frame
from chat_gateway.driver.room_sync import RoomSync
from chat_gateway.presence import Presence
from chat_gateway.protocol.frames import FriendAdded, FriendRemoved, ProfileUpdated
from chat_gateway.timings import Timings
from shared.batcher import Batcher
from shared.contracts.rooms import UserMemberships
from shared.contracts.social import Friends
from shared.tracing.spans import Span, child_span

log = logging.getLogger(__name__)

USERS_PER_ROUND = 100
CHECKS_PER_CALL = 500


class UserSync:
    """Keeps the connections of users up to date."""

    def __init__(
        self,
        connections: Connections,
        live_rooms: LiveRooms,
        room_sync: RoomSync,
        presence: Presence,
        timings: Timings,
        *,
        auth: Auth,
        rooms: Rooms,
        social: Social,
    ) -> None:
        self._connections, self._live_rooms = connections, live_rooms
        self._room_sync, self._presence, self._timings = room_sync, presence, timings
        self._auth, self._rooms, self._social = auth, rooms, social
        self.changed = Batcher[str, str](self._sync, limit=sys.maxsize, batch=USERS_PER_ROUND)
        """Changed user → traceparent of the change, if sampled. Bounded by the users of this gateway."""
        self.started = Batcher[str, None](self._check_started, limit=sys.maxsize, batch=CHECKS_PER_CALL)
        """Users with a connection that has just become live. Bounded like `changed`."""
        self.check_now = asyncio.Event()
        """Set when notifications may have been missed."""

    def user_changed(self, user_id: str, traceparent: str = "") -> None:
        """Synchronise the user's connections soon."""
        self.changed.add(user_id, traceparent or self.changed.get(user_id) or "")

    def connection_started(self, user_id: str) -> None:
        """Look soon for changes since the user's lists were loaded: a connection that is not live misses them."""
        self.started.add(user_id, None)

    # Synchronisation

    async def _sync(self, changed: Mapping[str, str]) -> None:
        """Send these users what changed. Their values are the traceparents of the changes, if sampled."""
        user_ids = [user_id for user_id in changed if user_id in self._connections.users]
        spans = _start_spans(changed, user_ids)
        if not user_ids:
            return
        try:
            await self._sync_users(user_ids)
            while spans:
                spans.pop().end()
            self._presence.recheck(self._connections.live(user_ids))
        except BaseException:
            for span in spans:
                span.end("failure")
            raise

    async def _sync_users(self, user_ids: list[str]) -> None:
        memberships, friends = await asyncio.gather(self._rooms.memberships(user_ids), self._social.friends(user_ids))
        self._live_rooms.adopt_epoch(memberships.epoch)
        for user_id in user_ids:
            self.sync_friends(user_id, friends.get(user_id) or Friends(0, []))
        users = {user_id: memberships.users.get(user_id) or UserMemberships(0, {}) for user_id in user_ids}
        await self._room_sync.sync(self._connections.live(users), users)

    def sync_friends(self, user_id: str, friends: Friends) -> None:
        """Send the changes of a friend list to all connections of the user that already got `ready`."""
        state = self._connections.users.get(user_id)
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
                push_frame(connection, frame)

    # The background check

    async def check(self) -> None:
        """Check all sessions and look for missed revisions, once.

        Returns after `Timings.user_check` seconds, or earlier when a subscription is lost.
        """
        self.check_now.clear()
        await self._check_sessions()
        user_ids = list(self._connections.users)
        for start in range(0, len(user_ids), CHECKS_PER_CALL):
            await self._check_revisions(user_ids[start : start + CHECKS_PER_CALL])
        try:
            async with asyncio.timeout(self._timings.user_check):
                await self.check_now.wait()
        except TimeoutError:
            return

    async def _check_sessions(self) -> None:
        connections = self._connections.all()
        for start in range(0, len(connections), CHECKS_PER_CALL):
            checked = connections[start : start + CHECKS_PER_CALL]
            session_ids = {connection.session_id for connection in checked}
            gone = session_ids - (await self._auth.active_sessions(list(session_ids))).keys()
            for connection in checked:
                if connection.session_id in gone:
                    self._connections.end_sessions(connection.user_id, gone.__contains__, revoked=False)

    async def _check_started(self, users: Mapping[str, None]) -> None:
        await self._check_revisions(list(users))

    async def _check_revisions(self, user_ids: list[str]) -> None:
        rooms, social = await asyncio.gather(self._rooms.revisions(user_ids), self._social.revisions(user_ids))
        self._live_rooms.adopt_epoch(rooms.epoch)
        for user_id in user_ids:
            state = self._connections.users.get(user_id)
            if state is None:
                continue
            oldest = min((connection.rooms_revision for connection in state.connections if connection.live), default=0)
            if rooms.revisions.get(user_id, 0) > oldest or social.get(user_id, 0) > state.social_revision:
                self.user_changed(user_id)


def _start_spans(changed: Mapping[str, str], user_ids: Iterable[str]) -> list[Span]:
    """Start a span for each sampled change of this round. `user_ids` are the users with a connection here."""
    receivers = Counter(filter(None, (changed[user_id] for user_id in user_ids)))
    spans = (child_span(trace, "deliver", "consumer", {"webchat.receivers": n}) for trace, n in receivers.items())
    return [span for span in spans if span is not None]
