"""A WebSocket as an asyncio protocol under uvicorn, without an ASGI task.

`ServerProtocol` of `websockets` parses the input, sans I/O. Outgoing frames are encoded already, and are written
unchanged.

Live events are written immediately, and the socket is closed if too many bytes are waiting. Replies and missed events
are written one at a time, each when the previous one has drained. While many bytes are waiting, nothing is read.
"""

import asyncio
import logging
import random
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from chat_gateway import metrics
from chat_gateway.driver.gateway import Gateway
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.limits import MAX_WEBSOCKET_MESSAGE_BYTES, SUBPROTOCOL
from chat_gateway.transport.handshake import Handshake
from shared.rpc.tokens import Principal
from shared.tracing.context import TRACE_HEADER, SpanContext, attach_span_context, parse_traceparent
from shared.tracing.spans import span

log = logging.getLogger(__name__)
_websockets_log = logging.getLogger("chat_gateway.websocket")
_websockets_log.setLevel(logging.WARNING)

HIGH_WATER_BYTES = 64 * 1024
"""At most the smallest `outbound_bytes`, and with more waiting the socket is congested."""
MAX_UNANSWERED_PINGS = 2


class Socket(asyncio.Protocol):
    """A socket. After the upgrade it is the `Transport` of its connection."""

    __slots__ = (
        "_binary", "_closing", "_congested", "_connection", "_early", "_fragments", "_gateway", "_handshake", "_loop",
        "_lost", "_outgoing", "_reading_paused", "_reply_bytes", "_server_connections", "_timer", "_transport",
        "_unanswered_pings", "_upgrade", "_ws",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        del config
        self._gateway: Gateway = app_state["gateway"]
        self._handshake: Handshake = app_state["handshake"]
        self._server_connections = cast("set[Any]", server_state.connections)
        self._loop = asyncio.get_running_loop()
        self._ws = ServerProtocol(
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            select_subprotocol=lambda _, offered: Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None,
            max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
            logger=_websockets_log,
        )
        self._connection: Connection | None = None
        self._upgrade: asyncio.Task[None] | None = None
        # frames that arrive before the upgrade is accepted, and whether they are binary
        self._early: list[tuple[bytes, bool]] | None = None
        # short lists instead of deques, because an empty deque takes 700 bytes
        self._fragments: list[bytes] = []
        self._outgoing: list[tuple[bytes, asyncio.Future[None] | None]] = []
        # the bytes of replies in the write buffer, which do not count towards the limit for live events
        self._reply_bytes = 0
        self._congested = self._reading_paused = self._closing = self._lost = False
        self._binary = False
        self._unanswered_pings = 0
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
        if self._upgrade is not None:
            self._upgrade.cancel()
        for _, written in self._outgoing:
            if written is not None and not written.done():
                written.set_exception(ConnectionResetError("the socket is gone"))
                written.exception()
        self._outgoing.clear()
        if self._connection is not None:
            self._gateway.connections.unregister(self._connection)

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False
        self._write_outgoing()
        self._process_frames()

    def eof_received(self) -> bool:
        return False

    def data_received(self, data: bytes) -> None:
        if self._lost:
            return
        self._ws.receive_data(data)
        for event in self._ws.events_received():
            if isinstance(event, Request):
                self._upgrade = self._loop.create_task(self._accept(event))
            elif isinstance(event, Frame):
                self._receive_frame(event)
        self._write_control()
        if self._ws.parser_exc is not None:
            self._await_close()
        self._process_frames()

    def shutdown(self) -> None:
        """Close at a random moment of the drain period, so that not all clients reconnect at once."""
        period = self._gateway.limits.drain_seconds if self._connection is not None else 0
        delay = random.uniform(0, period)  # noqa: S311 - not a secret
        self._loop.call_later(delay, self.close, CloseCode.GOING_AWAY, "the gateway restarts")

    # Upgrade

    async def _accept(self, request: Request) -> None:
        context = parse_traceparent(request.headers.get(TRACE_HEADER, ""))
        attach_span_context(context)
        with span("socket.open", "server"):
            principal = await self._handshake.answer(self._ws, request)
            self._write_control()
        if context is not None:  # later log lines have the trace ID, but later work on this socket is not sampled
            attach_span_context(SpanContext(context.trace_id, context.span_id, is_sampled=False))
        if principal is None:
            self._closing = True
            self._transport.close()
        else:
            self._start_connection(principal, request)

    def _start_connection(self, principal: Principal, request: Request) -> None:
        offered = request.headers.get("Sec-WebSocket-Protocol")
        request.headers.clear()  # frees 4 kB: `ServerProtocol` keeps the request as long as the socket is open
        self._upgrade = None
        if offered is not None and self._ws.subprotocol is None:
            self.close(CloseCode.WRONG_VERSION, f"speak {SUBPROTOCOL}")
            return
        self._connection = self._gateway.new_connection(principal, self, self._loop.time())
        for data, binary in self._early or ():
            self._connection.receive(data, binary=binary)
        self._early = None
        self._timer = self._loop.call_later(self._gateway.limits.hello_seconds, self._check_hello)
        self._process_frames()

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
            self._ws.send_ping(b"")
            self._write_control()
            self._timer = self._loop.call_later(self._gateway.limits.heartbeat_seconds, self._send_heartbeat)

    # Reading

    def _receive_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            self._unanswered_pings = 0
        elif frame.opcode is Opcode.CLOSE:
            self._write_control()
            self._await_close()
            self._transport.close()
        elif not self._closing and frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            self._fragments.append(bytes(frame.data))
            self._binary = frame.opcode is Opcode.BINARY or (frame.opcode is Opcode.CONT and self._binary)
            if frame.fin:
                self._receive_message(b"".join(self._fragments))
                self._fragments.clear()

    def _receive_message(self, data: bytes) -> None:
        if self._connection is not None:
            self._connection.receive(data, binary=self._binary)
        else:
            self._early = [*(self._early or ()), (data, self._binary)]

    def _process_frames(self) -> None:
        """Process received frames until one has to wait, or until replies are waiting to be written."""
        if (connection := self._connection) is not None:
            while not self._outgoing and (effects := connection.next_effects(self._loop.time())):
                self._gateway.effects.run(connection, effects)
        self._update_reading()

    @property
    def _has_received(self) -> bool:
        return self._early is not None if self._connection is None else self._connection.has_received

    def _update_reading(self) -> None:
        """Pause reading while frames, replies or many bytes of live events are waiting."""
        congested = self._transport.get_write_buffer_size() > self._gateway.limits.outbound_bytes // 2
        pause = not self._closing and (self._has_received or bool(self._outgoing) or congested)
        if pause != self._reading_paused and not self._lost:
            self._reading_paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # Writing (`Transport`)

    def push(self, data: bytes) -> None:
        if self._closing:
            return
        if self._congested and self._is_slow():
            self.close(CloseCode.SLOW_READER, "reading too slowly")
            return
        self._transport.write(data)

    def _is_slow(self) -> bool:
        waiting = self._transport.get_write_buffer_size() - self._reply_bytes
        return waiting > self._gateway.limits.outbound_bytes

    def push_droppable(self, data: bytes) -> None:
        if not self._congested or self._transport.get_write_buffer_size() <= self._gateway.limits.outbound_bytes // 2:
            self.push(data)

    def enqueue(self, data: bytes) -> None:
        if not self._closing:
            self._outgoing.append((data, None))
            self._write_outgoing()
            if self._outgoing:
                self._update_reading()

    async def send(self, data: bytes) -> None:
        """Enqueue data and wait until it is written. Raises ConnectionResetError if the socket closes before."""
        if self._closing:
            raise ConnectionResetError("the socket is closing")
        written = self._loop.create_future()
        self._outgoing.append((data, written))
        self._write_outgoing()
        await written

    def wake(self) -> None:
        """Process received frames in the next turn of the loop, so that answers never nest."""
        self._loop.call_soon(self._process_frames)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame. The client has a few seconds to close the socket; nothing more is read or pushed."""
        if self._closing:
            return
        metrics.CLOSED.of(CloseCode(code).name.lower()).inc()
        while self._outgoing and not self._congested:
            self._write_outgoing()
        if self._ws.state is State.OPEN:
            self._ws.send_close(code, reason)
            self._write_control()
            self._await_close()
        else:
            self._stop_receiving()
            self._transport.close()

    def _await_close(self) -> None:
        """Give the client time to read the close frame and to close the socket. Then abort it."""
        if not self._closing:
            self._stop_receiving()
            self._update_reading()
            self._loop.call_later(self._gateway.timings.close, self._transport.abort)

    def _stop_receiving(self) -> None:
        self._closing, self._early = True, None
        if self._connection is not None:
            self._connection.end()

    def _write_outgoing(self) -> None:
        while self._outgoing and not self._congested and not self._closing:
            data, written = self._outgoing.pop(0)
            self._reply_bytes = min(self._reply_bytes, self._transport.get_write_buffer_size()) + len(data)
            self._transport.write(data)
            if written is not None and not written.done():
                written.set_result(None)

    def _write_control(self) -> None:
        """Write the output of `ServerProtocol`: the HTTP response and control frames."""
        data = b"".join(self._ws.data_to_send())
        if data and not self._lost:
            self._transport.write(data)
