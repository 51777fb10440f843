"""Decisions about resuming: where a client resumes in a room, and which frames of a page of the log are sent."""

import msgspec

from shared.contracts.limits import MAX_RESUME
from shared.events.rooms import MemberLeft
from shared.roomlog.frames import decode_frame

_MEMBER_OP = b'{"op":"member.'


class EventPage(msgspec.Struct):
    """The frames of the events right after a version. `complete`: there are no later ones.

    `gone`: the events after the version were deleted, or the version is past the head. `head` is then the newest
    version of the room.
    """

    frames: list[bytes]
    complete: bool
    gone: bool = False
    head: int = 0


class ResumePoint(msgspec.Struct, frozen=True):
    """Send the events after `version`. With `reset`, the client must load the newest page first."""

    version: int
    reset: bool


def resume_point(cursor: int | None, *, head: int, joined_version: int, same_log: bool) -> ResumePoint:
    """Decide where a connection resumes in a room whose snapshot in `ready` is at `head`.

    `cursor` is the last version that the client has, or None for a room that it did not name. `same_log` is false if
    the client's epoch is missing or differs from the server's.
    """
    if cursor is None:
        return ResumePoint(head, reset=False)
    if not same_log or cursor > head or cursor < joined_version or head - cursor > MAX_RESUME:
        return ResumePoint(head, reset=True)
    return ResumePoint(cursor, reset=False)


def frames_after(version: int, first: int, frames: list[bytes]) -> list[bytes] | None:
    """Return the frames after `version` of consecutive frames from version `first` on, or None if there is a gap."""
    if first > version + 1:
        return None
    return frames[version + 1 - first :]


def is_member_event(frame: bytes) -> bool:
    """Return whether the frame is a membership event, without decoding it."""
    return _MEMBER_OP in frame[:24]


def split_at_leave(frames: list[bytes], user_id: str, since: int) -> tuple[list[bytes], bool]:
    """Return the frames up to and including the one in which the user left, and whether there is one.

    `since` is the version of the membership: earlier departures do not count.
    """
    for index, frame in enumerate(frames):
        if is_member_event(frame):
            event = decode_frame(frame)
            if isinstance(event, MemberLeft) and event.user_id == user_id and event.version > since:
                return frames[: index + 1], True
    return frames, False
