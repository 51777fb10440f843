"""The parser of a client's WebSocket frames, RFC 6455 §5, sans I/O.

Input of any size goes in. Each call of `next_frame` does a bounded amount of work and returns at most one frame, so the
caller decides how much it does before it turns to other sockets.
"""

import codecs
from typing import Final, NamedTuple

from websockets.exceptions import ProtocolError
from websockets.frames import Close

try:
    from websockets.speedups import apply_mask
except ImportError:  # there is no wheel with C for this platform
    from websockets.utils import apply_mask

from chat_gateway.protocol.errors import CloseCode

FRAGMENT: Final = 0x0
"""A data frame that does not complete its message."""
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
SLICE: Final = -1
"""Not a frame: a part of a long one was read."""

SLICE_BYTES = 64 * 1024
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_RESERVED: Final = 0x70
_OPCODES: Final = frozenset({FRAGMENT, TEXT, BINARY, CLOSE, PING, PONG})


class ProtocolViolation(Exception):
    """Input that fails the connection with this code, RFC 6455 §7.1.7."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class ReceivedFrame(NamedTuple):
    """For `TEXT` and `BINARY`, the payload is the whole message. For `FRAGMENT` and `SLICE`, it is empty."""

    opcode: int
    payload: bytes | bytearray


_A_FRAGMENT, _A_SLICE = ReceivedFrame(FRAGMENT, b""), ReceivedFrame(SLICE, b"")


class FrameParser:
    """Parses what one client sends. It keeps the unread input and at most one incomplete message."""

    __slots__ = ("_at", "_final", "_input", "_mask", "_max_bytes", "_message", "_opcode", "_remaining", "_split")

    def __init__(self, max_bytes: int) -> None:
        """`max_bytes` is the size of the largest message."""
        self._max_bytes = max_bytes
        self._input, self._at = b"", 0
        self._message: bytearray | None = None
        """The parts of a message that is not complete yet."""
        self._opcode = TEXT
        # the frame of which a part was read
        self._remaining, self._mask, self._final = 0, b"", True
        self._split = b""
        """The first bytes of a character that continues in the next part of a text."""

    def feed(self, data: bytes) -> None:
        """Take input. The caller should not feed more while `unread` is large."""
        self._input = self._input[self._at :] + data if self._at < len(self._input) else data
        self._at = 0

    @property
    def unread(self) -> int:
        """The number of bytes that wait for `next_frame`."""
        return len(self._input) - self._at

    def next_frame(self) -> ReceivedFrame | None:
        """Return the next frame, or None if it needs more input.

        Raises:
            ProtocolViolation: The connection has failed, and the parser must not be used any more.

        """
        data, start = self._input, self._at
        available = len(data) - start
        if not available:
            self._input, self._at = b"", 0
            return None
        if self._remaining:
            return self._read_payload()
        if available < 2:
            return None
        first, second = data[start], data[start + 1]
        end = start + 6 + (second & 0x7F)
        if first == _FINAL | TEXT and 0x80 <= second < 0xFE and self._message is None and end <= len(data):
            # the most frequent frame: a short message, which has arrived as a whole
            self._at = end
            payload = apply_mask(data[start + 6 : end], data[start + 2 : start + 6])
            if not payload.isascii():
                self._check_text(payload, final=True)
            return ReceivedFrame(TEXT, payload)
        return self._read_frame(first, second)

    def _read_frame(self, first: int, second: int) -> ReceivedFrame | None:
        opcode, start = first & 0x0F, self._at
        self._check_head(first, second, opcode)
        mask_at = start + 2 + {126: 2, 127: 8}.get(second & 0x7F, 0)
        payload_at = mask_at + 4
        if len(self._input) < mask_at:
            return None
        length = self._length(second & 0x7F, self._input[start + 2 : mask_at])
        if opcode < CLOSE and len(self._message or b"") + length > self._max_bytes:
            raise ProtocolViolation(CloseCode.TOO_LARGE, f"a message has at most {self._max_bytes} bytes")
        if len(self._input) < (payload_at + length if opcode >= CLOSE else payload_at):
            return None
        self._mask, self._at = self._input[mask_at:payload_at], payload_at
        if opcode >= CLOSE:
            return self._read_control(opcode, length)
        self._remaining, self._final = length, bool(first & _FINAL)
        if self._message is None:
            self._message, self._opcode = bytearray(), opcode
        return self._read_payload()

    def _check_head(self, first: int, second: int, opcode: int) -> None:
        """Check the first two bytes of a frame."""
        if first & _RESERVED:
            raise _error("a reserved bit is set")
        if opcode not in _OPCODES:
            raise _error("the opcode is reserved")
        if not second & _MASKED:
            raise _error("the frame is not masked")
        if opcode >= CLOSE:
            if not first & _FINAL:
                raise _error("a control frame is fragmented")
            if second & 0x7F > 125:
                raise _error("a control frame has more than 125 bytes")
        elif opcode == FRAGMENT and self._message is None:
            raise _error("there is no message to continue")
        elif opcode != FRAGMENT and self._message is not None:
            raise _error("the previous message is not complete")

    @staticmethod
    def _length(short: int, extended: bytes) -> int:
        """Return the length of a payload. It must be encoded in as few bytes as possible."""
        if not extended:
            return short
        length = int.from_bytes(extended, "big")
        if length < (126 if short == 126 else 2**16) or length >= 2**63:
            raise _error("the length is not encoded correctly")
        return length

    def _read_control(self, opcode: int, length: int) -> ReceivedFrame:
        end = self._at + length
        payload = apply_mask(self._input[self._at : end], self._mask)
        self._at = end
        if opcode == CLOSE:
            _check_close(payload)
        return ReceivedFrame(opcode, payload)

    def _read_payload(self) -> ReceivedFrame:
        """Read a part of the payload of a data frame, which may be all of it."""
        assert self._message is not None
        part = self._input[self._at : self._at + min(self._remaining, SLICE_BYTES)]
        self._at += len(part)
        self._remaining -= len(part)
        part, shift = apply_mask(part, self._mask), len(part) % 4
        self._mask = self._mask[shift:] + self._mask[:shift]
        complete = self._final and not self._remaining
        if self._opcode == TEXT:
            self._check_text(part, final=complete)
        self._message += part
        if self._remaining:
            return _A_SLICE
        if not complete:
            return _A_FRAGMENT
        message, self._message = self._message, None
        return ReceivedFrame(self._opcode, message)

    def _check_text(self, part: bytes, *, final: bool) -> None:
        """Check that the text so far is UTF-8. Its last character may continue in the next part."""
        if not self._split and part.isascii():
            return
        text = self._split + part
        try:
            _, length = codecs.utf_8_decode(text, "strict", final)
        except UnicodeDecodeError as error:
            raise ProtocolViolation(CloseCode.INVALID_DATA, "the text is not UTF-8") from error
        self._split = text[length:]


def _error(reason: str) -> ProtocolViolation:
    return ProtocolViolation(CloseCode.PROTOCOL_ERROR, reason)


def _check_close(payload: bytes) -> None:
    """Check the code and the reason of a close frame, RFC 6455 §5.5.1 and §7.4."""
    try:
        Close.parse(payload)
    except ProtocolError as error:
        raise _error(str(error)) from error
    except UnicodeDecodeError as error:
        raise ProtocolViolation(CloseCode.INVALID_DATA, "the reason is not UTF-8") from error
