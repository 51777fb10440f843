"""What the connections of this process share: the hub, the lanes, the subscriber, presence, and the other services."""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from chat_gateway import meters
from chat_gateway.clients.auth import Auth
from chat_gateway.clients.media import Media
from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from chat_gateway.driver.client import Client, Wire
from chat_gateway.driver.recent_pages import RecentPages
from chat_gateway.driver.together import Together
from chat_gateway.hub import Hub
from chat_gateway.lanes import QUEUE_COMMANDS, Lanes
from chat_gateway.presence import Presence
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.frames import SessionRevoked
from chat_gateway.protocol.limits import Limits
from chat_gateway.publisher import EphemeralPublisher
from chat_gateway.room_log import RoomLog
from chat_gateway.settings import DEFAULT_TIMINGS, Timings
from chat_gateway.subscriber import Subscriber
from shared.contracts.auth import User
from shared.contracts.rooms import RoomList
from shared.contracts.social import Friends, Profile
from shared.ids import new_id, now_ms
from shared.redis.client import AnyRedis
from shared.roomlog.frames import time_of
from shared.roomlog.keys import live_channel
from shared.rpc.tokens import Principal
from shared.streams.names import user_channel
from shared.streams.notifications import ConnectionsEvicted, SessionsRevoked, UserChanged, UserNotification
from shared.web.overload import Overload

log = logging.getLogger(__name__)

_hint_decoder = msgspec.json.Decoder(UserNotification)

SESSIONS_A_CALL = 500
HOMES_A_CALL = 20
"""A home has up to 1,000 rooms and 2,000 friends."""


class UserState(msgspec.Struct):
    """What this gateway knows of a connected user; `friends` as last told to its connections."""

    clients: set[Client]
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
        lanes: int,
        overload: Overload,
        lane_commands: int = QUEUE_COMMANDS,
        trace_sample: float = 0,
        timings: Timings = DEFAULT_TIMINGS,
    ) -> None:
        self.redis, self.limits, self.overload, self.trace_sample = redis, limits, overload, trace_sample
        self.timings = timings
        self.rooms, self.auth, self.social, self.media = rooms, auth, social, media
        self.sessions: Together[User] = Together(auth.standing, most=SESSIONS_A_CALL)
        self.homes: Together[tuple[str, RoomList]] = Together(self._ask_homes, most=HOMES_A_CALL)
        self.friends: Together[Friends] = Together(social.friends, most=HOMES_A_CALL)
        self.hub = Hub(self._flush_soon)
        self.room_log = RoomLog(redis, rooms)
        self.recent_pages = RecentPages()
        self.lanes = Lanes(rooms, self.adopt_epoch, count=lanes, room_for=lane_commands, timings=timings)
        overload.watch(lambda: self.lanes.filled)
        self.subscriber = Subscriber(
            redis,
            self.hub,
            self.room_log,
            overload,
            timings,
            on_reset=self._reset_room,
            on_lost=self._subscription_lost,
        )
        self.ephemeral = EphemeralPublisher(redis)
        self.presence = Presence(redis, rooms, social, self.subscriber, self.ephemeral, overload, timings)
        self.users: dict[str, UserState] = {}
        self.changed_users: set[str] = set()
        self.users_changed = asyncio.Event()
        self.change_traces: dict[str, str] = {}
        """User → traceparent of the change that is to be told, where its way is written down."""
        self.check_now = asyncio.Event()

    async def _ask_homes(self, user_ids: list[str]) -> dict[str, tuple[str, RoomList]]:
        """All rooms of each user, with the epoch of the logs."""
        homes = await self.rooms.homes(dict.fromkeys(user_ids))
        return {user_id: (homes.epoch, homes.users.get(user_id) or RoomList(0, [])) for user_id in user_ids}

    async def flush_cursors(self) -> None:
        self.hub.flush_cursors()

    def _flush_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        if (oldest := self.hub.flush()) and (at := time_of(oldest)) is not None:
            meters.FANOUT_LAG.observe(max(0, now_ms() - at) / 1000)

    def tell_meters(self) -> None:
        """Let the numbers of this process be those of this gateway."""
        meters.CONNECTIONS.set_function(lambda: sum(len(state.clients) for state in self.users.values()))
        meters.USERS.set_function(lambda: len(self.users))
        meters.ROOMS.set_function(lambda: len(self.hub.rooms))
        meters.RECEIVED.set_function(lambda: self.hub.received)
        meters.DELIVERED.set_function(lambda: self.hub.delivered)
        meters.LANE_DEPTH.set_function(lambda: self.lanes.depth)
        meters.DEEPEST_LANE.set_function(lambda: self.lanes.deepest)

    # Connections

    def new_client(self, principal: Principal, connection: Connection, wire: Wire) -> Client:
        return Client(new_id(), principal.subject, principal.session_id, connection, wire, self.forget_place)

    async def enter(self, client: Client) -> None:
        """Count a connection as its user's, and listen to the user's channel."""
        state = self.users.setdefault(client.user_id, UserState(set(), {}))
        state.clients.add(client)
        await self.subscriber.acquire({user_channel(client.user_id): self._user_handler(client.user_id)})

    def depart(self, client: Client) -> None:
        """Forget a connection; called once, when its socket is gone."""
        client.live = False
        client.stop()
        self.hub.depart(client, list(client.memberships))
        self.presence.depart(client)
        state = self.users.get(client.user_id)
        if state is None or client not in state.clients:
            return
        state.clients.remove(client)
        self.subscriber.release([user_channel(client.user_id)])
        self.subscriber.release(live_channel(client.epoch, room_id) for room_id in client.memberships)
        client.memberships.clear()
        if not state.clients:
            del self.users[client.user_id]

    def clients(self) -> list[Client]:
        return [client for state in self.users.values() for client in state.clients]

    def forget_place(self, client: Client, room_id: str) -> None:
        """The connection is told that its user is out of the room."""
        if client.memberships.pop(room_id, None) is not None:
            self.subscriber.release([live_channel(client.epoch, room_id)])

    # What changes

    def adopt_epoch(self, epoch: str) -> None:
        """The logs began anew: every client comes back and starts from snapshots."""
        if epoch in {"", self.subscriber.epoch}:
            return
        first, self.subscriber.epoch = not self.subscriber.epoch, epoch
        if not first:
            log.warning("the room logs have a new epoch; closing all sockets")
            self.recent_pages.clear()
            clients = self.clients()
            self._close(clients, CloseCode.EPOCH_CHANGED, "the logs began anew")
            for client in clients:
                self.depart(client)

    def user_changed(self, user_id: str) -> None:
        self.changed_users.add(user_id)
        self.users_changed.set()

    def end_sessions(self, user_id: str, gone: Callable[[str], bool], *, revoked: bool) -> None:
        """Close the user's sockets whose session is gone; refuse their queued commands, cancel their uploads.

        Where it is not known to be revoked it may be over merely: the client asks auth, and keeps what is unsent.
        """
        state = self.users.get(user_id)
        ended = [client for client in state.clients if gone(client.session_id)] if state is not None else []
        for client in ended:
            client.stop()
            self.lanes.refuse(client.id)
            if revoked:
                client.push_frame(SessionRevoked())
        self._close(ended, CloseCode.SESSION_GONE, "the session is gone")

    def _close(self, clients: list[Client], code: CloseCode, reason: str) -> None:
        for client in clients:
            client.connection.closing = True
            client.wire.close(code, reason)

    def _user_handler(self, user_id: str) -> Callable[[bytes], None]:
        def handle(message: bytes) -> None:
            match _hint_decoder.decode(message):
                case UserChanged(traceparent=traceparent):
                    if traceparent:
                        self.change_traces[user_id] = traceparent
                    self.user_changed(user_id)
                case SessionsRevoked(session_ids=gone):
                    self.end_sessions(user_id, lambda session_id: not gone or session_id in gone, revoked=True)
                case ConnectionsEvicted(client_ids=ids):
                    state = self.users.get(user_id)
                    evicted = [client for client in state.clients if client.id in ids] if state is not None else []
                    self._close(evicted, CloseCode.TOO_MANY_SOCKETS, "more sockets than allowed")

        return handle

    def _reset_room(self, room_id: str, head: int) -> None:
        """The hub goes on at `head`. Who is a member may have changed unseen: its readers come back and start anew."""
        readers = [reader for reader in self.hub.jump(room_id, head) if isinstance(reader, Client)]
        meters.RESETS.inc(len(readers))
        self._close(readers, CloseCode.TRY_AGAIN, "a room's log does not reach back")

    def _subscription_lost(self) -> None:
        meters.LOST.inc()
        self.subscriber.tear(*self.hub.rooms)
        self.check_now.set()
