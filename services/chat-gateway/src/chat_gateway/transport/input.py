"""The input of a socket: a bounded number of frames and bytes in each turn of the event loop."""

from abc import abstractmethod
from typing import ClassVar

from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.limits import MAX_WEBSOCKET_MESSAGE_BYTES, Limits
from chat_gateway.protocol.rates import InputRate
from chat_gateway.transport.frame_parser import (
    BINARY,
    CLOSE,
    FRAGMENT,
    PING,
    PONG,
    TEXT,
    FrameParser,
    ProtocolViolation,
    ReceivedFrame,
)
from chat_gateway.transport.output import Output


class Input(Output):
    """The half of a socket that reads.

    It continues in a later turn of the loop when the share of a turn is used up, so that a client that sends a lot
    does not delay others. It reads nothing while it has input to process, while many bytes wait to be written, and
    while answers wait.
    """

    TURN_FRAMES: ClassVar = 16
    """At most this many frames in one turn: about a millisecond of work."""
    TURN_BYTES: ClassVar = 64 * 1024
    CLOSING_PAUSE_S: ClassVar = 0.001
    """Pause between two turns after the close frame, while the client still sends."""

    __slots__ = (
        "_connection", "_ignores_input", "_lost", "_parser", "_rate", "_reading_paused", "_turn_due",
        "_unanswered_pings",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits.outbound_bytes)
        self._connection: Connection | None = None
        """None before the upgrade."""
        self._parser = FrameParser(MAX_WEBSOCKET_MESSAGE_BYTES)
        self._rate = InputRate(limits, self._loop.time())
        self._reading_paused = self._lost = self._ignores_input = self._turn_due = False
        self._unanswered_pings = 0

    def wake(self) -> None:
        """Process received frames in the next turn of the loop, so that answers never nest."""
        if self._turn_due:
            return
        self._turn_due = True
        if self._closing and not self._ignores_input:
            self._loop.call_later(self.CLOSING_PAUSE_S, self._take_turn)
        else:
            self._loop.call_soon(self._take_turn)

    def _receive_bytes(self, data: bytes) -> None:
        if self._ignores_input:
            self.wake()
            self._update_reading()
        elif self._closing or self._rate.take_bytes(self._loop.time(), len(data)):
            self._parser.feed(data)
            if not self._turn_due:
                self._take_turn()
        else:
            self._fail(CloseCode.POLICY_VIOLATION, "more bytes than allowed")

    def _take_turn(self) -> None:
        self._turn_due = False
        if not self._lost:
            try:
                self._process_frames(self._loop.time())
            except ProtocolViolation as violation:
                self._fail(violation.code, violation.reason)
            self._update_reading()

    def _process_frames(self, now: float) -> None:
        """Process frames until one has to wait, or until the share of this turn is used up."""
        parser, frames = self._parser, 0
        rest = parser.unread - self.TURN_BYTES
        while self._perform(now):
            if frames >= self.TURN_FRAMES or parser.unread <= rest:
                self.wake()
                return
            if (frame := parser.next_frame()) is None:
                return
            self._receive(frame, now)
            frames += 1

    @abstractmethod
    def _perform(self, now: float) -> bool:
        """Perform received frames. Returns False if they have to wait, or if replies wait to be written."""

    def _receive(self, frame: ReceivedFrame, now: float) -> None:
        opcode, payload = frame
        if opcode == CLOSE:
            self._receive_close(payload)
        elif self._closing or self._connection is None:
            return
        elif opcode in {TEXT, BINARY}:
            self._connection.receive(payload, binary=opcode == BINARY)
        elif opcode == FRAGMENT:
            if not self._rate.take_fragment(now):
                raise ProtocolViolation(CloseCode.POLICY_VIOLATION, "more fragments than allowed")
        elif opcode in {PING, PONG}:
            self._receive_heartbeat(opcode, payload, now)

    def _receive_heartbeat(self, opcode: int, payload: bytes | bytearray, now: float) -> None:
        if not self._rate.take_control(now):
            raise ProtocolViolation(CloseCode.POLICY_VIOLATION, "more pings than allowed")
        if opcode == PONG:
            self._unanswered_pings = 0
        else:
            self._write_control(PONG, payload)

    @abstractmethod
    def _receive_close(self, payload: bytes | bytearray) -> None:
        """Handle a close frame."""

    def _fail(self, code: CloseCode, reason: str) -> None:
        """Close the socket, and ignore all further input, RFC 6455 §7.1.7."""
        self.close(code, reason)
        self._ignores_input, self._parser = True, FrameParser(0)

    def _update_reading(self) -> None:
        """Pause reading while input, frames, replies or many bytes of live events are waiting."""
        waiting = self._turn_due or self._has_received
        pause = waiting or (not self._closing and (bool(self._outgoing) or self._is_half_full))
        if pause != self._reading_paused and not self._lost:
            self._reading_paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    @property
    def _has_received(self) -> bool:
        """True if frames wait. Before the upgrade, they wait for it."""
        if self._connection is None:
            return self._parser.unread > 0 and not self._closing
        return self._connection.has_received
