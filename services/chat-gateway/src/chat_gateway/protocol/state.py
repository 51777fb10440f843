"""The protocol state of a connection: which frames are allowed, how many, and which effects they have.

Sans I/O: it takes frames and a monotonic time in seconds, and returns effects.
"""

import msgspec

from chat_gateway.protocol.effects import Close, Effect, Perform, Reply, Start
from chat_gateway.protocol.errors import CloseCode, FrameError
from chat_gateway.protocol.frames import ErrorFrame, Hello, RoomTyping
from chat_gateway.protocol.limits import Limits
from chat_gateway.protocol.parse import parse
from shared.errors import ErrorCode

_encoder = msgspec.json.Encoder()


class ProtocolState:
    """The protocol state of one connection. It is `full` while `limits.unanswered` frames are unanswered."""

    __slots__ = (
        "_hello_received", "_limited_at", "_limited_since", "_limits", "_malformed", "_refilled", "_tokens", "closing",
        "unanswered",
    )  # fmt: skip

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._hello_received = False
        self._tokens, self._refilled = limits.burst, now
        self._limited_since = self._limited_at = now
        self._malformed: list[float] = []
        self.unanswered = 0
        self.closing = False

    @property
    def full(self) -> bool:
        return self.unanswered >= self._limits.unanswered

    @property
    def hello_received(self) -> bool:
        return self._hello_received

    def answered(self) -> None:
        """Count a performed frame as answered."""
        self.unanswered -= 1

    def receive(self, data: bytes, now: float, *, binary: bool = False) -> list[Effect]:
        """Return the effects of one frame. A closing connection ignores frames."""
        if self.closing:
            return []
        try:
            if not self._take_token(now):
                return self._limited(data, now)
            return self._accept(data, binary=binary)
        except FrameError as error:
            effects: list[Effect] = [Reply(error_payload(error.frame_id, error.code, error.detail), error.code)]
            return effects + (self._count_malformed(now) if error.malformed else [])

    def hello_overdue(self) -> list[Effect]:
        """Return the effects of the deadline for `hello`."""
        return [] if self._hello_received else self._close(CloseCode.NO_HELLO, "no hello within 10 s")

    def _accept(self, data: bytes, *, binary: bool) -> list[Effect]:
        if binary:
            raise FrameError(ErrorCode.BAD_FRAME, "Frames must be text.", malformed=True)
        frame = parse(data, frame_bytes=self._limits.frame_bytes)
        if isinstance(frame, Hello):
            if self._hello_received:
                raise FrameError(ErrorCode.INVALID, "`hello` was already received.", frame.id)
            self._hello_received = True
            return [Start(frame)]
        if not self._hello_received:
            raise FrameError(ErrorCode.INVALID, "The first frame must be `hello`.", frame.id)
        if not isinstance(frame, RoomTyping):
            self.unanswered += 1
        return [Perform(frame)]

    def _take_token(self, now: float) -> bool:
        """Take a token from the bucket. Returns False if it is empty."""
        if not self._limits.rates:
            return True
        gained = (now - self._refilled) * self._limits.frames_per_second
        self._tokens, self._refilled = min(self._limits.burst, self._tokens + gained), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _limited(self, data: bytes, now: float) -> list[Effect]:
        """Reject a frame beyond the rate limit. Close the connection if that lasts too long."""
        if now - self._limited_at > 2:
            self._limited_since = now
        self._limited_at = now
        if now - self._limited_since >= self._limits.limited_seconds:
            return self._close(CloseCode.FLOOD, "more frames than allowed, for too long")
        try:
            frame_id = parse(data, frame_bytes=self._limits.frame_bytes).id
        except FrameError as error:
            frame_id = error.frame_id
        code = ErrorCode.RATE_LIMITED
        return [Reply(error_payload(frame_id, code, "More frames than allowed.", retry_after=1), code)]

    def _count_malformed(self, now: float) -> list[Effect]:
        self._malformed = [at for at in self._malformed if now - at < 60] + [now]
        if len(self._malformed) > self._limits.malformed_per_minute:
            return self._close(CloseCode.MALFORMED, "too many malformed frames")
        return []

    def _close(self, code: CloseCode, reason: str) -> list[Effect]:
        self.closing = True
        return [Close(code, reason)]


def error_payload(frame_id: str | None, code: str, detail: str, *, retry_after: int | None = None) -> bytes:
    """Return the text of an error frame. `retry_after` is in seconds."""
    return _encoder.encode(ErrorFrame(id=frame_id, code=code, detail=detail, retry_after=retry_after))
