"""A WebSocket as an asyncio protocol under uvicorn, without an ASGI task.

`ServerProtocol` of `websockets` reads, sans I/O; frames that are ready-made are written as they are.

Live events are written at once, and a reader that lets too many wait is closed. Answers and resume pages are written
one at a time, each after the last has drained. While much waits, nothing is read.
"""

import asyncio
import logging
import random
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from chat_gateway import meters
from chat_gateway.driver.client import Client
from chat_gateway.driver.gateway import Gateway
from chat_gateway.driver.run import run_effects
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.limits import MAX_MESSAGE_BYTES, SUBPROTOCOL
from chat_gateway.transport.handshake import Handshake
from shared.errors import DomainError
from shared.instance import INSTANCE, INSTANCE_HEADER
from shared.logging.context import add_log_fields
from shared.rpc.tokens import Principal
from shared.tracing.context import TRACE_HEADER, SpanContext, attach_span_context, parse_traceparent
from shared.tracing.spans import span

log = logging.getLogger(__name__)
_quiet = logging.getLogger("chat_gateway.websocket")
_quiet.setLevel(logging.WARNING)

HIGH_WATER_BYTES = 64 * 1024


class Socket(asyncio.Protocol):
    """One socket. Once its handshake is done it is the `Wire` of its client."""

    __slots__ = (
        "_binary", "_client", "_closing", "_congested", "_connections", "_exempt", "_gateway",
        "_handshake", "_incoming", "_loop", "_lost", "_outgoing", "_parts", "_reading_paused", "_taking", "_timer",
        "_transport", "_unanswered_pings", "_upgrade", "_ws",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        del config
        self._gateway: Gateway = app_state["gateway"]
        self._handshake: Handshake = app_state["handshake"]
        self._connections = cast("set[Any]", server_state.connections)
        self._loop = asyncio.get_running_loop()
        self._ws = ServerProtocol(
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            select_subprotocol=lambda _, offered: Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None,
            max_size=MAX_MESSAGE_BYTES,
            logger=_quiet,
        )
        self._client: Client | None = None
        self._upgrade: asyncio.Task[None] | None = None
        # lists, which are short: an empty deque takes 700 bytes
        self._incoming: list[tuple[bytes, bool]] = []
        self._parts: list[bytes] = []
        self._outgoing: list[tuple[bytes, asyncio.Future[None] | None]] = []
        self._exempt = 0
        self._congested = self._reading_paused = self._taking = self._closing = self._lost = False
        self._binary = False
        self._unanswered_pings = 0
        self._timer: asyncio.TimerHandle | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(HIGH_WATER_BYTES)
        self._connections.add(self)
        meters.SOCKETS.inc()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._lost = self._closing = True
        self._connections.discard(self)
        meters.SOCKETS.dec()
        if self._timer is not None:
            self._timer.cancel()
        if self._upgrade is not None:
            self._upgrade.cancel()
        for _, written in self._outgoing:
            if written is not None and not written.done():
                written.set_exception(ConnectionResetError("the socket is gone"))
                written.exception()
        self._outgoing.clear()
        if self._client is not None:
            self._gateway.depart(self._client)

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False
        self._write_outgoing()
        self.read_on()

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
                self._frame(event)
        self._write_control()
        if self._ws.parser_exc is not None:
            self._end()
        self.read_on()

    def shutdown(self) -> None:
        """The server stops: say goodbye at a random moment of the spread, so that not all come back at once."""
        spread = self._gateway.limits.drain_seconds if self._client is not None else 0
        delay = random.uniform(0, spread)  # noqa: S311 - no secret
        self._loop.call_later(delay, self.close, CloseCode.GOING_AWAY, "the gateway restarts")

    # Handshake

    async def _accept(self, request: Request) -> None:
        context = parse_traceparent(request.headers.get(TRACE_HEADER, ""))
        attach_span_context(context)
        with span("socket.open", "server"):
            principal = await self._open(request)
        if context is not None:  # later lines tell where the socket came from; what it does then is not written down
            attach_span_context(SpanContext(context.trace_id, context.span_id, is_sampled=False))
        if principal is not None:
            self._begin(principal, request)

    async def _open(self, request: Request) -> Principal | None:
        """Answer the handshake; who it is, or None where it is refused."""
        response = self._ws.accept(request)
        if response.status_code != 101:
            self._respond(response)
            return None
        if request.headers.get(INSTANCE_HEADER, INSTANCE) != INSTANCE:
            self._respond(self._ws.reject(404, "Another gateway is wanted.\n"))
            return None
        principal = await self._handshake.check(request.headers)
        if isinstance(principal, DomainError):
            self._respond(self._ws.reject(principal.code.status, f"{principal.detail}\n"))
            return None
        add_log_fields(user_id=principal.subject)
        self._respond(response)
        return principal

    def _begin(self, principal: Principal, request: Request) -> None:
        offered = request.headers.get("Sec-WebSocket-Protocol")
        request.headers.clear()  # the protocol keeps the request for as long as the socket lives: 4 kB
        self._upgrade = None
        if offered is not None and self._ws.subprotocol is None:
            self.close(CloseCode.WRONG_VERSION, f"speak {SUBPROTOCOL}")
            return
        connection = Connection(self._gateway.limits, self._loop.time())
        self._client = self._gateway.new_client(principal, connection, self)
        self._timer = self._loop.call_later(self._gateway.limits.hello_seconds, self._check_hello)
        self.read_on()

    def _respond(self, response: Response) -> None:
        self._ws.send_response(response)
        self._write_control()
        if self._ws.state is not State.OPEN:
            self._closing = True
            self._transport.close()

    def _check_hello(self) -> None:
        assert self._client is not None
        run_effects(self._gateway, self._client, self._client.connection.hello_overdue())
        if not self._closing:
            self._beat()

    def _beat(self) -> None:
        """A ping every heartbeat; after two without an answer the client is taken for gone."""
        if self._unanswered_pings >= 2:
            self.close(CloseCode.HEARTBEAT_MISSED, "two heartbeats missed")
            return
        if not self._closing:
            self._unanswered_pings += 1
            self._ws.send_ping(b"")
            self._write_control()
            self._timer = self._loop.call_later(self._gateway.limits.heartbeat_seconds, self._beat)

    # Reading

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            self._unanswered_pings = 0
        elif frame.opcode is Opcode.CLOSE:
            self._write_control()
            self._end()
            self._transport.close()
        elif not self._closing and frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            self._parts.append(bytes(frame.data))
            self._binary = frame.opcode is Opcode.BINARY or (frame.opcode is Opcode.CONT and self._binary)
            if frame.fin:
                self._incoming.append((b"".join(self._parts), self._binary))
                self._parts.clear()

    def read_on(self) -> None:
        """Take the frames that were received, as far as the client may have unanswered ones and reads its answers."""
        client = self._client
        if client is None or self._taking:  # some frames are answered at once, and come by here
            self._read_or_not()
            return
        self._taking = True
        while self._incoming and not self._outgoing and client.accepts and not self._closing:
            data, binary = self._incoming.pop(0)
            run_effects(self._gateway, client, client.connection.receive(data, self._loop.time(), binary=binary))
        self._taking = False
        self._read_or_not()

    def _read_or_not(self) -> None:
        waits = self._transport.get_write_buffer_size() > self._gateway.limits.outbound_bytes // 2
        pause = not self._closing and (bool(self._incoming) or bool(self._outgoing) or waits)
        if pause != self._reading_paused and not self._lost:
            self._reading_paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # Writing (the client's Wire)

    def push(self, data: bytes) -> None:
        if self._closing:
            return
        if self._transport.get_write_buffer_size() - self._exempt > self._gateway.limits.outbound_bytes:
            self.close(CloseCode.SLOW_READER, "reading too slowly")
            return
        self._transport.write(data)

    def push_droppable(self, data: bytes) -> None:
        if self._transport.get_write_buffer_size() <= self._gateway.limits.outbound_bytes // 2:
            self.push(data)

    def answer(self, data: bytes) -> None:
        if not self._closing:
            self._outgoing.append((data, None))
            self._write_outgoing()

    async def send(self, data: bytes) -> None:
        """Raises ConnectionResetError when the socket goes before it was written."""
        if self._closing:
            raise ConnectionResetError("the socket is closing")
        written = self._loop.create_future()
        self._outgoing.append((data, written))
        self._write_outgoing()
        await written

    def close(self, code: int, reason: str) -> None:
        """Say why and end the socket, at the latest after a few seconds; nothing is read or pushed any more."""
        if self._closing:
            return
        meters.CLOSED.of(CloseCode(code).name.lower()).inc()
        while self._outgoing and not self._congested:
            self._write_outgoing()
        if self._ws.state is State.OPEN:
            self._ws.send_close(code, reason)
            self._write_control()
            self._end()
        else:
            self._closing = True
            self._transport.close()

    def _end(self) -> None:
        """The last was written: wait a moment for the client to hang up, so that it can read why."""
        if not self._closing:
            self._closing = True
            self._incoming.clear()
            self._read_or_not()
            self._loop.call_later(self._gateway.timings.close, self._transport.abort)

    def _write_outgoing(self) -> None:
        while self._outgoing and not self._congested and not self._closing:
            data, written = self._outgoing.pop(0)
            self._exempt = min(self._exempt, self._transport.get_write_buffer_size()) + len(data)
            self._transport.write(data)
            if written is not None and not written.done():
                written.set_result(None)

    def _write_control(self) -> None:
        data = b"".join(self._ws.data_to_send())
        if data and not self._lost:
            self._transport.write(data)
