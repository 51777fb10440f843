"""The output of a socket: live events immediately, replies and missed events when the previous ones have drained."""

import asyncio
from abc import ABC, abstractmethod

from chat_gateway.protocol.errors import CloseCode

HIGH_WATER_BYTES = 64 * 1024
"""At most the smallest `outbound_bytes`, and with more waiting the socket is congested."""


class Output(asyncio.Protocol, ABC):
    """The half of a socket that writes.

    Live events are written immediately, and the socket is closed if too many bytes are waiting. Replies and missed
    events are written one at a time, each when the previous one has drained. All are encoded already.
    """

    __slots__ = ("_closing", "_congested", "_loop", "_outbound_bytes", "_outgoing", "_reply_bytes", "_transport")

    _transport: asyncio.Transport

    def __init__(self, outbound_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._outbound_bytes = outbound_bytes
        self._closing = self._congested = False
        # a short list instead of a deque, because an empty deque takes 700 bytes
        self._outgoing: list[tuple[bytes, asyncio.Future[None] | None]] = []
        # the bytes of replies in the write buffer, which do not count towards the limit for live events
        self._reply_bytes = 0

    def push(self, data: bytes) -> None:
        if self._closing:
            return
        if self._congested and self._is_slow():
            self.close(CloseCode.SLOW_READER, "reading too slowly")
            return
        self._transport.write(data)

    def _is_slow(self) -> bool:
        waiting = self._transport.get_write_buffer_size() - self._reply_bytes
        return waiting > self._outbound_bytes

    @property
    def _is_half_full(self) -> bool:
        """True if so many bytes wait that nothing more is read, and that optional events are dropped."""
        return self._transport.get_write_buffer_size() > self._outbound_bytes // 2

    def push_droppable(self, data: bytes) -> None:
        if not self._congested or not self._is_half_full:
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

    @abstractmethod
    def close(self, code: int, reason: str) -> None:
        """Send a close frame."""

    @abstractmethod
    def _update_reading(self) -> None:
        """Pause reading while anything waits to be written."""

    def _write_outgoing(self) -> None:
        while self._outgoing and not self._congested and not self._closing:
            data, written = self._outgoing.pop(0)
            self._reply_bytes = min(self._reply_bytes, self._transport.get_write_buffer_size()) + len(data)
            self._transport.write(data)
            if written is not None and not written.done():
                written.set_result(None)

    def _write_control(self, opcode: int, payload: bytes | bytearray) -> None:
        """Write a control frame, RFC 6455 §5.5."""
        self._transport.write(bytes((0x80 | opcode, len(payload))) + payload)

    def _drop_outgoing(self) -> None:
        """Fail the calls of `send` that wait."""
        for _, written in self._outgoing:
            if written is not None and not written.done():
                written.set_exception(ConnectionResetError("the socket is gone"))
                written.exception()
        self._outgoing.clear()
