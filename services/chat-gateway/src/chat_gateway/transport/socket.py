"""A WebSocket as an asyncio protocol under uvicorn, without an ASGI task: its upgrade, its heartbeat and its end."""

import asyncio
import logging
import random
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from chat_gateway import metrics
from chat_gateway.driver.gateway import Gateway
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.limits import SUBPROTOCOL
from chat_gateway.transport.frame_parser import CLOSE
from chat_gateway.transport.handshake import Handshake, Upgrade
from chat_gateway.transport.input import Input
from chat_gateway.transport.output import HIGH_WATER_BYTES
from shared.rpc.tokens import Principal

log = logging.getLogger(__name__)

MAX_UNANSWERED_PINGS = 2
FLOODS = {CloseCode.POLICY_VIOLATION, CloseCode.FLOOD}
"""The codes of clients that send too much. A log line names the user."""
_HEARTBEAT: Final = b"\x89\x00"


class Socket(Input):
    """A socket. After the upgrade it is the `Transport` of its connection."""

    __slots__ = ("_gateway", "_handshake", "_server_connections", "_timer", "_upgrade", "_upgrading")

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        del config
        self._gateway: Gateway = app_state["gateway"]
        super().__init__(self._gateway.limits)
        self._handshake: Handshake = app_state["handshake"]
        self._server_connections = cast("set[Any]", server_state.connections)
        self._upgrade: Upgrade | None = Upgrade()
        self._upgrading: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(HIGH_WATER_BYTES)
        self._server_connections.add(self)
        metrics.SOCKETS.inc()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._lost = self._closing = True
        self._server_connections.discard(self)
        metrics.SOCKETS.dec()
        if self._timer is not None:
            self._timer.cancel()
        if self._upgrading is not None:
            self._upgrading.cancel()
        self._drop_outgoing()
        if self._connection is not None:
            self._gateway.connections.unregister(self._connection)

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False
        self._write_outgoing()
        self.wake()

    def eof_received(self) -> bool:
        return False

    def data_received(self, data: bytes) -> None:
        if self._upgrade is None:
            self._receive_bytes(data)
        else:
            self._receive_request(self._upgrade, data)

    def shutdown(self) -> None:
        """Close at a random moment of the drain period, so that not all clients reconnect at once."""
        period = self._gateway.limits.drain_seconds if self._connection is not None else 0
        delay = random.uniform(0, period)  # noqa: S311 - not a secret
        self._loop.call_later(delay, self.close, CloseCode.GOING_AWAY, "the gateway restarts")

    # Upgrade

    def _receive_request(self, upgrade: Upgrade, data: bytes) -> None:
        try:
            early = upgrade.receive(data)
        except ValueError:
            self._transport.close()
            return
        if upgrade.request is not None and self._upgrading is None:
            self._upgrading = self._loop.create_task(self._accept(upgrade))
        if early:  # frames before the response wait for it, and no more are read
            self._parser.feed(early)
            self._update_reading()

    async def _accept(self, upgrade: Upgrade) -> None:
        principal = await self._handshake.answer(upgrade)
        self._transport.write(upgrade.response)
        self._upgrade = self._upgrading = None
        if principal is None:
            self._closing = True
            self._transport.close()
        elif upgrade.speaks_our_protocol:
            self._start_connection(principal)
        else:
            self.close(CloseCode.WRONG_VERSION, f"speak {SUBPROTOCOL}")

    def _start_connection(self, principal: Principal) -> None:
        self._connection = self._gateway.new_connection(principal, self, self._loop.time())
        self._timer = self._loop.call_later(self._gateway.limits.hello_seconds, self._check_hello)
        self.wake()

    def _check_hello(self) -> None:
        assert self._connection is not None
        self._gateway.effects.run(self._connection, self._connection.hello_overdue())
        if not self._closing:
            self._send_heartbeat()

    def _send_heartbeat(self) -> None:
        """Send a ping every heartbeat interval. Close the socket after two unanswered ones."""
        if self._unanswered_pings >= MAX_UNANSWERED_PINGS:
            self.close(CloseCode.HEARTBEAT_MISSED, "two heartbeats missed")
            return
        if not self._closing:
            self._unanswered_pings += 1
            self._transport.write(_HEARTBEAT)
            self._timer = self._loop.call_later(self._gateway.limits.heartbeat_seconds, self._send_heartbeat)

    # Reading

    def _perform(self, now: float) -> bool:
        if (connection := self._connection) is None or self._closing:
            return True
        while not self._outgoing and (effects := connection.next_effects(now)):
            self._gateway.effects.run(connection, effects)
        return self._closing or not (self._outgoing or connection.has_received)

    def _receive_close(self, payload: bytes | bytearray) -> None:
        if not self._closing:
            self._write_control(CLOSE, payload)
            self._await_close()
        self._transport.close()

    # Closing

    def close(self, code: int, reason: str) -> None:
        """Send a close frame. The client has a few seconds to close the socket; nothing more is read or pushed."""
        if self._closing:
            return
        metrics.CLOSED.of(CloseCode(code).name.lower()).inc()
        if code in FLOODS and self._connection is not None:
            self._connection.context.run(log.warning, "a client that sends too much was disconnected: %s", reason)
        while self._outgoing and not self._congested:
            self._write_outgoing()
        if self._upgrade is None:
            self._write_control(CLOSE, code.to_bytes(2, "big") + reason.encode())
            self._await_close()
        else:
            self._stop_receiving()
            self._transport.close()

    def _await_close(self) -> None:
        """Give the client time to read the close frame and to close the socket. Then abort it."""
        self._stop_receiving()
        self._update_reading()
        self._loop.call_later(self._gateway.timings.close, self._transport.abort)

    def _stop_receiving(self) -> None:
        self._closing = True
        if self._connection is not None:
            self._connection.end()
