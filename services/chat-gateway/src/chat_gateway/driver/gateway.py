"""The gateway: the state that all connections of this process share."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeAlias

import msgspec

from chat_gateway import metrics
from chat_gateway.clients.auth import Auth
from chat_gateway.clients.media import Media
from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from chat_gateway.command_queue import QUEUE_COMMANDS, CommandQueues
from chat_gateway.driver.connection import Transport, UserConnection
from chat_gateway.driver.data_loader import DataLoader
from chat_gateway.driver.recent_pages import RecentPages
from chat_gateway.ephemeral import EphemeralPublisher
from chat_gateway.event_loader import EventLoader
from chat_gateway.hub import JOIN_S, Hub, Reader
from chat_gateway.presence import Presence
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.frames import SessionRevoked
from chat_gateway.protocol.limits import Limits
from chat_gateway.protocol.state import ProtocolState
from chat_gateway.room_subscriptions import RoomSubscriptions
from chat_gateway.subscriber import Subscriber
from chat_gateway.timings import DEFAULT_TIMINGS, Timings
from shared.batcher import Batcher
from shared.contracts.auth import User
from shared.contracts.rooms import RoomList
from shared.contracts.social import Friends, Profile
from shared.ids import new_id, now_ms
from shared.redis.client import AnyRedis
from shared.roomlog.frames import time_of
from shared.rpc.tokens import Principal
from shared.streams.names import user_channel
from shared.streams.notifications import ConnectionsEvicted, SessionsRevoked, UserChanged, UserNotification
from shared.web.overload import Overload

log = logging.getLogger(__name__)

_notification_decoder = msgspec.json.Decoder(UserNotification)

SESSIONS_PER_CALL = 500
USERS_PER_ROUND = 100
ROOM_LISTS_PER_CALL = 20
"""A user has up to 1,000 rooms and 2,000 friends."""


SyncUsers: TypeAlias = Callable[["Gateway", Mapping[str, str]], Awaitable[None]]


class UserState(msgspec.Struct):
    """The connections of a user on this gateway, and the friends as last sent to them."""

    connections: set[UserConnection]
    friends: dict[str, Profile]
    social_revision: int = 0


class Gateway:
    def __init__(
        self,
        *,
        redis: AnyRedis,
        rooms: Rooms,
        auth: Auth,
        social: Social,
        media: Media,
        limits: Limits,
        partitions: int,
        overload: Overload,
        queue_capacity: int = QUEUE_COMMANDS,
        trace_sample: float = 0,
        timings: Timings = DEFAULT_TIMINGS,
        sync_users: SyncUsers,
    ) -> None:
        """`sync_users` gets the changed users, with the traceparents of their changes, in batches."""
        self.redis, self.limits, self.overload, self.trace_sample = redis, limits, overload, trace_sample
        self.timings = timings
        self.rooms, self.auth, self.social, self.media = rooms, auth, social, media
        self.sessions: DataLoader[User] = DataLoader(auth.active_sessions, max_batch=SESSIONS_PER_CALL)
        self.room_lists: DataLoader[tuple[str, RoomList]] = DataLoader(
            self._load_room_lists, max_batch=ROOM_LISTS_PER_CALL
        )
        self.friends: DataLoader[Friends] = DataLoader(social.friends, max_batch=ROOM_LISTS_PER_CALL)
        self.hub = Hub(self._flush_soon, self._reader_removed)
        self._loop = asyncio.get_running_loop()
        self._joined: asyncio.TimerHandle | None = None
        self.event_loader = EventLoader(redis, rooms)
        self.recent_pages = RecentPages()
        self.command_queues = CommandQueues(
            rooms, self.adopt_epoch, partitions=partitions, capacity=queue_capacity, timings=timings
        )
        overload.watch(lambda: self.command_queues.fill_level)
        self.subscriber = Subscriber(
            redis,
            self.hub,
            self.event_loader,
            overload,
            timings,
            on_reset=self._reset_room,
            on_lost=self._subscription_lost,
        )
        self.room_subscriptions = RoomSubscriptions(self.hub, self.subscriber)
        self.ephemeral = EphemeralPublisher(redis)
        self.presence = Presence(redis, rooms, social, self.subscriber, self.ephemeral, overload, timings)
        self.users: dict[str, UserState] = {}
        self.changed_users = Batcher[str, str](partial(sync_users, self), limit=sys.maxsize, batch=USERS_PER_ROUND)
        """Changed user → traceparent of the change, if sampled. Bounded by the users of this gateway."""
        self.check_now = asyncio.Event()

    async def _load_room_lists(self, user_ids: list[str]) -> dict[str, tuple[str, RoomList]]:
        """Return the epoch and the complete room list of each user."""
        response = await self.rooms.room_lists(dict.fromkeys(user_ids))
        return {user_id: (response.epoch, response.users.get(user_id) or RoomList(0, [])) for user_id in user_ids}

    def _reader_removed(self, reader: Reader, room_id: str) -> None:
        self.room_subscriptions.leave(reader, room_id)

    async def flush_cursors(self) -> None:
        self.hub.flush_cursors()

    def _flush_soon(self) -> None:
        self._loop.call_soon(self._flush_idle)

    def _flush_idle(self) -> None:
        _observe_lag(self.hub.flush_idle(self._loop.time()))
        if self.hub.is_joining and self._joined is None:
            self._joined = self._loop.call_later(JOIN_S, self._flush)

    def _flush(self) -> None:
        self._joined = None
        _observe_lag(self.hub.flush(self._loop.time()))

    def register_metrics(self) -> None:
        """Let the metrics of this process read the values of this gateway."""
        metrics.CONNECTIONS.set_function(lambda: sum(len(state.connections) for state in self.users.values()))
        metrics.USERS.set_function(lambda: len(self.users))
        metrics.ROOMS.set_function(lambda: len(self.hub.rooms))
        metrics.RECEIVED.set_function(lambda: self.hub.received)
        metrics.DELIVERED.set_function(lambda: self.hub.delivered)
        metrics.QUEUED_COMMANDS.set_function(lambda: self.command_queues.depth)
        metrics.DEEPEST_QUEUE.set_function(lambda: self.command_queues.deepest)

    # Connections

    def new_connection(self, principal: Principal, protocol: ProtocolState, transport: Transport) -> UserConnection:
        user_id, session_id = principal.subject, principal.session_id
        return UserConnection(new_id(), user_id, session_id, protocol, transport)

    async def register(self, connection: UserConnection) -> None:
        """Add a connection to its user, and subscribe to the user's channel."""
        state = self.users.setdefault(connection.user_id, UserState(set(), {}))
        state.connections.add(connection)
        await self.subscriber.acquire({user_channel(connection.user_id): self._user_handler(connection.user_id)})

    def unregister(self, connection: UserConnection) -> None:
        """Remove a connection whose socket is gone."""
        connection.live = False
        connection.cancel_tasks()
        self.room_subscriptions.leave_all(connection)
        self.presence.unregister(connection)
        state = self.users.get(connection.user_id)
        if state is None or connection not in state.connections:
            return
        state.connections.remove(connection)
        self.subscriber.release([user_channel(connection.user_id)])
        if not state.connections:
            del self.users[connection.user_id]

    def connections(self) -> list[UserConnection]:
        return [connection for state in self.users.values() for connection in state.connections]

    # Changes

    def adopt_epoch(self, epoch: str) -> None:
        """Close all connections if the epoch changed. Clients reconnect and start from snapshots."""
        if epoch in {"", self.subscriber.epoch}:
            return
        first, self.subscriber.epoch = not self.subscriber.epoch, epoch
        if not first:
            log.warning("the room logs have a new epoch; closing all sockets")
            self.recent_pages.clear()
            connections = self.connections()
            self._close(connections, CloseCode.EPOCH_CHANGED, "the room logs have a new epoch")
            for connection in connections:
                self.unregister(connection)

    def user_changed(self, user_id: str, traceparent: str = "") -> None:
        """Synchronise the user's connections soon."""
        self.changed_users.add(user_id, traceparent or self.changed_users.get(user_id) or "")

    def end_sessions(self, user_id: str, is_gone: Callable[[str], bool], *, revoked: bool) -> None:
        """Close the user's connections whose session is gone, reject their queued commands, and cancel their uploads.

        `revoked` sends `session.revoked` first, which makes clients delete their data. Otherwise the session may just
        have expired, so the client asks auth and keeps its unsent messages (ADR 16).
        """
        connections = [connection for connection in self._connections_of(user_id) if is_gone(connection.session_id)]
        for connection in connections:
            connection.cancel_tasks()
            self.command_queues.reject(connection.id)
            if revoked:
                connection.push_frame(SessionRevoked())
        self._close(connections, CloseCode.SESSION_GONE, "the session has ended")

    def _connections_of(self, user_id: str) -> list[UserConnection]:
        state = self.users.get(user_id)
        return [] if state is None else list(state.connections)

    def _close(self, connections: list[UserConnection], code: CloseCode, reason: str) -> None:
        for connection in connections:
            connection.protocol.closing = True
            connection.transport.close(code, reason)

    def _user_handler(self, user_id: str) -> Callable[[bytes], None]:
        def handle(message: bytes) -> None:
            match _notification_decoder.decode(message):
                case UserChanged(traceparent=traceparent):
                    self.user_changed(user_id, traceparent)
                case SessionsRevoked(session_ids=revoked):
                    self.end_sessions(user_id, lambda id_: not revoked or id_ in revoked, revoked=True)
                case ConnectionsEvicted(connection_ids=ids):
                    evicted = [connection for connection in self._connections_of(user_id) if connection.id in ids]
                    self._close(evicted, CloseCode.TOO_MANY_SOCKETS, "more sockets than allowed")

        return handle

    def _reset_room(self, room_id: str, head: int) -> None:
        """Continue a room at `head`, and close its readers' connections.

        A missed event may have changed who is a member, so the readers reconnect and start from snapshots.
        """
        readers = [reader for reader in self.hub.skip_to(room_id, head) if isinstance(reader, UserConnection)]
        metrics.RESETS.inc(len(readers))
        self._close(readers, CloseCode.TRY_AGAIN, "a room's log does not reach back")

    def _subscription_lost(self) -> None:
        metrics.LOST.inc()
        self.subscriber.mark_dirty(*self.hub.rooms)
        self.check_now.set()


def _observe_lag(oldest: bytes) -> None:
    if oldest and (at := time_of(oldest)) is not None:
        metrics.FANOUT_LAG.observe(max(0, now_ms() - at) / 1000)
