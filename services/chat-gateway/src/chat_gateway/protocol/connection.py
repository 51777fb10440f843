"""One client's side of the protocol: what may come when, how much of it, and what it asks for.

Sans I/O: takes frames and a monotonic time in seconds, returns effects. A connection is not a socket.
"""

import msgspec

from chat_gateway.protocol.effects import Close, Effect, Perform, Reply, Start
from chat_gateway.protocol.errors import CloseCode, FrameError
from chat_gateway.protocol.frames import ErrorFrame, Hello, RoomTyping
from chat_gateway.protocol.limits import Limits
from chat_gateway.protocol.parse import parse

_encoder = msgspec.json.Encoder()


class Connection:
    """The state of one connection. It is `full` while `limits.unanswered` frames wait for their answer."""

    __slots__ = (
        "_greeted", "_limited_at", "_limited_since", "_limits", "_malformed", "_refilled", "_tokens", "closing",
        "unanswered",
    )  # fmt: skip

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._greeted = False
        self._tokens, self._refilled = limits.burst, now
        self._limited_since = self._limited_at = 0.0
        self._malformed: list[float] = []
        self.unanswered = 0
        self.closing = False

    @property
    def full(self) -> bool:
        return self.unanswered >= self._limits.unanswered

    @property
    def greeted(self) -> bool:
        return self._greeted

    def answered(self) -> None:
        self.unanswered -= 1

    def receive(self, data: bytes, now: float, *, binary: bool = False) -> list[Effect]:
        """The effects of one frame; none once the connection is closing."""
        if self.closing:
            return []
        try:
            if not self._allowed(now):
                return self._limited(data, now)
            return self._accept(data, binary=binary)
        except FrameError as error:
            effects: list[Effect] = [Reply(error_payload(error.frame_id, error.code, error.detail), error.code)]
            return effects + (self._count_malformed(now) if error.malformed else [])

    def hello_overdue(self) -> list[Effect]:
        return [] if self._greeted else self._close(CloseCode.NO_HELLO, "no hello within 10 s")

    def _accept(self, data: bytes, *, binary: bool) -> list[Effect]:
        if binary:
            raise FrameError("bad_frame", "Frames are text.", malformed=True)
        frame = parse(data, frame_bytes=self._limits.frame_bytes)
        if isinstance(frame, Hello):
            if self._greeted:
                raise FrameError("invalid", "hello was said already.", frame.id)
            self._greeted = True
            return [Start(frame)]
        if not self._greeted:
            raise FrameError("invalid", "The first frame is hello.", frame.id)
        if not isinstance(frame, RoomTyping):
            self.unanswered += 1
        return [Perform(frame)]

    def _allowed(self, now: float) -> bool:
        if not self._limits.rates:
            return True
        gained = (now - self._refilled) * self._limits.frames_per_second
        self._tokens, self._refilled = min(self._limits.burst, self._tokens + gained), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _limited(self, data: bytes, now: float) -> list[Effect]:
        if now - self._limited_at > 2:
            self._limited_since = now
        self._limited_at = now
        if now - self._limited_since >= self._limits.limited_seconds:
            return self._close(CloseCode.FLOOD, "more frames than allowed, for too long")
        try:
            frame_id = parse(data, frame_bytes=self._limits.frame_bytes).id
        except FrameError as error:
            frame_id = error.frame_id
        code = "rate_limited"
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
    return _encoder.encode(ErrorFrame(id=frame_id, code=code, detail=detail, retry_after=retry_after))
