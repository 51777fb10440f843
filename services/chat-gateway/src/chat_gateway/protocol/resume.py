"""From which version a client goes on in a room, and how late reads and live events merge: pure decisions."""

import msgspec

from shared.contracts.rooms import MAX_RESUME
from shared.events.rooms import MemberLeft
from shared.roomlog.frames import decode_frame

_MEMBER_OP = b'{"op":"member.'


class Start(msgspec.Struct, frozen=True):
    """Go on after `version`; `reset` tells the client that what lies before is not sent."""

    version: int
    reset: bool


def resume_point(cursor: int | None, *, head: int, joined_version: int, same_log: bool) -> Start:
    """Where a connection starts in a room whose snapshot in `ready` is at `head`.

    `cursor` is what the client has, None for a room it did not name; `same_log` is false where its epoch is absent
    or not the server's.
    """
    if cursor is None or (cursor == head and same_log):
        return Start(head, reset=False)
    if not same_log or cursor > head or cursor < joined_version or head - cursor > MAX_RESUME:
        return Start(head, reset=True)
    return Start(cursor, reset=False)


def tail(first: int, frames: list[bytes], version: int) -> list[bytes] | None:
    """Those of the consecutive frames from version `first` on that come after `version`; None where there is a hole."""
    if first > version + 1:
        return None
    return frames[version + 1 - first :]


def is_member_event(frame: bytes) -> bool:
    """Whether a frame tells of a change of membership, without decoding it."""
    return _MEMBER_OP in frame[:24]


def split_at_leave(frames: list[bytes], user_id: str, since: int) -> tuple[list[bytes], bool]:
    """The frames up to and including the one by which the user, a member since `since`, left; and whether it did."""
    for index, frame in enumerate(frames):
        if is_member_event(frame):
            event = decode_frame(frame)
            if isinstance(event, MemberLeft) and event.user_id == user_id and event.version > since:
                return frames[: index + 1], True
    return frames, False
