"""The connections of this gateway by user: how they begin and end."""

from collections.abc import Callable, Iterable

import msgspec

from chat_gateway.driver.output import close, push_frame
from chat_gateway.driver.tasks import ConnectionTasks
from chat_gateway.presence import Presence
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.frames import SessionRevoked
from chat_gateway.room_subscriptions import RoomSubscriptions
from chat_gateway.subscriber import Subscriber
from shared.contracts.social import Profile
from shared.streams.names import user_channel
from shared.streams.notifications import ConnectionsEvicted, SessionsRevoked, UserChanged, UserNotification

_notification_decoder = msgspec.json.Decoder(UserNotification)


class UserState(msgspec.Struct):
    """A user with connections here, and the friends as last sent to them. `UserSync` sets the friends."""

    connections: set[Connection]
    friends: dict[str, Profile]
    social_revision: int = 0


class Connections:
    """The registry of connections that said hello.

    `reject_commands` is called with the ID of a connection whose session ended, `on_user_changed` with a changed user
    and the traceparent of the change.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        subscriptions: RoomSubscriptions,
        presence: Presence,
        tasks: ConnectionTasks,
        *,
        reject_commands: Callable[[str], None],
        on_user_changed: Callable[[str, str], None],
    ) -> None:
        self._subscriber, self._subscriptions, self._presence = subscriber, subscriptions, presence
        self._tasks, self._reject_commands, self._on_user_changed = tasks, reject_commands, on_user_changed
        self.users: dict[str, UserState] = {}

    # Registry

    async def register(self, connection: Connection) -> None:
        """Add a connection to its user, and wait until the user's channel is subscribed."""
        user_id = connection.user_id
        self.users.setdefault(user_id, UserState(set(), {})).connections.add(connection)
        await self._subscriber.acquire({user_channel(user_id): self._handler(user_id)})

    def unregister(self, connection: Connection) -> None:
        """End everything that a connection has here. Idempotent; also for a connection that never said hello."""
        connection.live = False
        connection.end()
        self._tasks.cancel(connection)
        self._subscriptions.leave_all(connection)
        self._presence.unregister(connection)
        state = self.users.get(connection.user_id)
        if state is None or connection not in state.connections:
            return
        state.connections.remove(connection)
        self._subscriber.release([user_channel(connection.user_id)])
        if not state.connections:
            del self.users[connection.user_id]

    def all(self) -> list[Connection]:
        return [connection for state in self.users.values() for connection in state.connections]

    def of(self, user_id: str) -> list[Connection]:
        state = self.users.get(user_id)
        return [] if state is None else list(state.connections)

    def live(self, user_ids: Iterable[str]) -> list[Connection]:
        """Return the connections of users that receive the events of all of their rooms."""
        return [connection for user_id in user_ids for connection in self.of(user_id) if connection.live]

    # Ends

    def close_all(self) -> None:
        """Close all connections because of a new epoch. Clients reconnect and start from snapshots."""
        connections = self.all()
        close(connections, CloseCode.EPOCH_CHANGED, "the room logs have a new epoch")
        for connection in connections:
            self.unregister(connection)

    def end_sessions(self, user_id: str, is_gone: Callable[[str], bool], *, revoked: bool) -> None:
        """Close the user's connections whose session is gone, reject their queued commands, and cancel their uploads.

        `revoked` sends `session.revoked` first, which makes clients delete their data. Otherwise the session may just
        have expired, so the client asks auth and keeps its unsent messages (ADR 16).
        """
        connections = [connection for connection in self.of(user_id) if is_gone(connection.session_id)]
        for connection in connections:
            self._tasks.cancel(connection)
            self._reject_commands(connection.id)
            if revoked:
                push_frame(connection, SessionRevoked())
        close(connections, CloseCode.SESSION_GONE, "the session has ended")

    def evict(self, user_id: str, connection_ids: Iterable[str]) -> None:
        """Close connections of a user who has too many. The IDs of other gateways' connections are ignored."""
        evicted = [connection for connection in self.of(user_id) if connection.id in connection_ids]
        close(evicted, CloseCode.TOO_MANY_SOCKETS, "more sockets than allowed")

    # Notifications

    def _handler(self, user_id: str) -> Callable[[bytes], None]:
        def handle(message: bytes) -> None:
            match _notification_decoder.decode(message):
                case UserChanged(traceparent=traceparent):
                    self._on_user_changed(user_id, traceparent)
                case SessionsRevoked(session_ids=revoked):
                    self.end_sessions(user_id, lambda id_: not revoked or id_ in revoked, revoked=True)
                case ConnectionsEvicted(connection_ids=ids):
                    self.evict(user_id, ids)

        return handle
