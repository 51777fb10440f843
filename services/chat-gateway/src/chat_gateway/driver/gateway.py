"""The parts of a gateway that sockets and the background work use."""

from contextvars import copy_context
from dataclasses import dataclass

from chat_gateway import metrics
from chat_gateway.command_queue import CommandQueues
from chat_gateway.driver.connections import Connections
from chat_gateway.driver.effects import EffectRunner
from chat_gateway.driver.live_rooms import LiveRooms
from chat_gateway.driver.revocations import Revocations
from chat_gateway.driver.tasks import ConnectionTasks
from chat_gateway.driver.user_sync import UserSync
from chat_gateway.ephemeral import EphemeralPublisher
from chat_gateway.presence import Presence
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.limits import Limits
from chat_gateway.protocol.transport import Transport
from chat_gateway.socket_limit import SocketLimit
from chat_gateway.timings import Timings
from shared.ids import new_id
from shared.rpc.tokens import Principal


@dataclass(frozen=True, kw_only=True, slots=True)
class Gateway:
    """The result of `composition`. Nothing inside a gateway gets the whole."""

    connections: Connections
    user_sync: UserSync
    revocations: Revocations
    live_rooms: LiveRooms
    presence: Presence
    socket_limit: SocketLimit
    command_queues: CommandQueues
    ephemeral: EphemeralPublisher
    tasks: ConnectionTasks
    effects: EffectRunner
    limits: Limits
    timings: Timings

    def new_connection(self, principal: Principal, transport: Transport, now: float) -> Connection:
        """Create a connection. It is registered when its client says hello. `now` is a monotonic time in seconds."""
        user_id, session_id = principal.subject, principal.session_id
        return Connection(new_id(), user_id, session_id, transport, self.limits, now, copy_context())

    def register_metrics(self) -> None:
        """Let the metrics of this process read the values of this gateway."""
        users, hub, queues = self.connections.users, self.live_rooms.hub, self.command_queues
        metrics.CONNECTIONS.set_function(lambda: sum(len(state.connections) for state in users.values()))
        metrics.USERS.set_function(lambda: len(users))
        metrics.ROOMS.set_function(lambda: len(hub.rooms))
        metrics.RECEIVED.set_function(lambda: hub.received)
        metrics.DELIVERED.set_function(lambda: hub.delivered)
        metrics.QUEUED_COMMANDS.set_function(lambda: queues.depth)
        metrics.DEEPEST_QUEUE.set_function(lambda: queues.deepest)
