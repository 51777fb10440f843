"""Errors in frames, and the codes with which connections are closed."""

from enum import IntEnum

from shared.errors import DomainError, ErrorCode


class FrameError(DomainError):
    """A frame that was rejected. Too many `malformed` frames close the connection."""

    def __init__(self, code: ErrorCode, detail: str, frame_id: str | None = None, *, malformed: bool = False) -> None:
        super().__init__(detail)
        self.code, self.frame_id, self.malformed = code, frame_id, malformed


class CloseCode(IntEnum):
    """The codes of WebSocket close frames.

    1002-1009: the client broke RFC 6455 or exceeded a limit by far (§7.4.1 there). 4300-4399: reconnect and resume.
    4400-4499: resolve the cause, then reconnect. 4500-4599: do not reconnect automatically.
    """

    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    TOO_LARGE = 1009
    TRY_AGAIN = 1013
    SLOW_READER = 4308
    HEARTBEAT_MISSED = 4309
    EPOCH_CHANGED = 4310
    SESSION_GONE = 4401
    NO_HELLO = 4408
    TOO_MANY_SOCKETS = 4409
    WRONG_VERSION = 4500
    MALFORMED = 4501
    FLOOD = 4529
