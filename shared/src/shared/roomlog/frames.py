"""The bytes of an event: an unmasked WebSocket text frame, the same for every receiver, so made once.

On a room's channel goes `first last flags` and a line feed, then the frames of the run. Behind the flags of an event
whose way is written down stands its traceparent.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from shared.events.rooms import MEMBERSHIP, MessageDeleted, RoomEvent
from shared.ids import parse_rfc3339

PLAIN: Final = b"-"
MEMBERS_CHANGED: Final = b"m"
DELETION: Final = b"d"
CURSORS: Final = b"r"
TYPING: Final = b"t"

NO_TRACES: Final[Mapping[int, str]] = {}

_event_decoder = msgspec.json.Decoder(RoomEvent)


def text_frame(payload: bytes) -> bytes:
    """One final, unmasked text frame (RFC 6455 §5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def payload_of(frame: bytes) -> bytes:
    """The JSON text of a frame made by `text_frame`."""
    return frame[{0x7E: 4, 0x7F: 10}.get(frame[1], 2) :]


def event_frame(event: RoomEvent) -> bytes:
    return text_frame(msgspec.json.encode(event))


def decode_frame(frame: bytes) -> RoomEvent:
    event: RoomEvent = _event_decoder.decode(payload_of(frame))
    return event


def split_frames(data: bytes) -> list[bytes]:
    """The single frames of joined ones."""
    frames, start = [], 0
    while start < len(data):
        mark = data[start + 1]
        if mark < 126:
            end = start + 2 + mark
        elif mark == 126:
            end = start + 4 + int.from_bytes(data[start + 2 : start + 4], "big")
        else:
            end = start + 10 + int.from_bytes(data[start + 2 : start + 10], "big")
        frames.append(data[start:end])
        start = end
    return frames


_TIME: Final = b'"at":"'
"""Within a text its quotation marks would be escaped: what is found is the field."""


def time_of(frames: bytes) -> int | None:
    """When the first of joined events happened, in milliseconds: the clock of rooms, right before the commit."""
    start = frames.find(_TIME) + len(_TIME)
    end = frames.find(b'"', start)
    try:
        return parse_rfc3339(frames[start:end].decode())
    except ValueError:
        return None


class Run(msgspec.Struct):
    """Consecutive events of one room, `first` … `first + len(frames) - 1`, as they are published together.

    `traceparent`: of one event alone whose way is written down.
    """

    first: int
    flags: bytes
    frames: list[bytes]
    traceparent: str = ""

    @property
    def last(self) -> int:
        return self.first + len(self.frames) - 1


def runs_of(events: Sequence[RoomEvent], traces: Mapping[int, str] = NO_TRACES) -> list[Run]:
    """Events in order of version as runs, cut at holes; a membership event and a deletion are runs of their own.

    So is one whose way is written down: `traces` has version → traceparent. Membership events take none along: a reader
    that does not know of traces would not see by the flags that they are some.
    """
    runs: list[Run] = []
    for event in events:
        flags = MEMBERS_CHANGED if isinstance(event, MEMBERSHIP) else PLAIN
        flags = DELETION if isinstance(event, MessageDeleted) else flags
        traced = traces.get(event.version, "") if traces and flags != MEMBERS_CHANGED else ""
        goes_on = runs and flags == runs[-1].flags == PLAIN and event.version == runs[-1].last + 1
        if goes_on and not traced and not runs[-1].traceparent:
            runs[-1].frames.append(event_frame(event))
        else:
            runs.append(Run(event.version, flags, [event_frame(event)], traced))
    return runs


class Live(msgspec.Struct):
    """What arrives on a room's channel. For cursors and typing `first` and `last` are 0."""

    first: int
    last: int
    flags: bytes
    data: bytes
    """Joined frames; for cursors a JSON object of user id → seq."""
    traceparent: str = ""


def live_header(first: int, last: int, flags: bytes) -> bytes:
    return b"%d %d %s\n" % (first, last, flags)


def parse_live(message: bytes) -> Live:
    header, _, data = message.partition(b"\n")
    first, last, flags = header.split(b" ", 2)
    if b" " in flags:
        flags, _, traceparent = flags.partition(b" ")
        return Live(int(first), int(last), flags, data, traceparent.decode())
    return Live(int(first), int(last), flags, data)
