"""What is answered when a frame can't be done, and why a connection ends."""

from enum import IntEnum


class FrameError(Exception):
    """An error reply. `malformed` ones are counted: too many end the connection."""

    def __init__(self, code: str, detail: str, frame_id: str | None = None, *, malformed: bool = False) -> None:
        super().__init__(detail)
        self.code, self.detail, self.frame_id, self.malformed = code, detail, frame_id, malformed


class CloseCode(IntEnum):
    """4300-4399: come back and resume. 4400-4499: settle the cause first. 4500-4599: do not come back by yourself."""

    GOING_AWAY = 1001
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
