"""The encoding of events: each is an unmasked WebSocket text frame, encoded once for all receivers.

A message on a room's channel is `first last flags`, a line feed, and the joined frames of an event batch. The
traceparent of a sampled event follows its flags after a space.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from shared.events.rooms import MEMBERSHIP, MessageDeleted, RoomEvent
from shared.ids import parse_rfc3339

# The flags of a publication say what it contains.
PLAIN: Final = b"-"
MEMBERS_CHANGED: Final = b"m"
DELETION: Final = b"d"
CURSORS: Final = b"r"
TYPING: Final = b"t"

NO_TRACES: Final[Mapping[int, str]] = {}

_event_decoder = msgspec.json.Decoder(RoomEvent)


def text_frame(payload: bytes) -> bytes:
    """Return a final, unmasked text frame (RFC 6455 §5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def payload_of(frame: bytes) -> bytes:
    """Return the JSON text of a frame made by `text_frame`."""
    return frame[{0x7E: 4, 0x7F: 10}.get(frame[1], 2) :]


def event_frame(event: RoomEvent) -> bytes:
    return text_frame(msgspec.json.encode(event))


def decode_frame(frame: bytes) -> RoomEvent:
    event: RoomEvent = _event_decoder.decode(payload_of(frame))
    return event


def split_frames(data: bytes) -> list[bytes]:
    """Split joined frames."""
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
"""Quotation marks inside a JSON string are escaped, so the first match is the field."""


def time_of(frames: bytes) -> int | None:
    """Return the time of the first of the joined events, in ms since 1970, or None if there is none.

    Rooms takes the time right before the commit.
    """
    start = frames.find(_TIME) + len(_TIME)
    end = frames.find(b'"', start)
    try:
        return parse_rfc3339(frames[start:end].decode())
    except ValueError:
        return None


class EventBatch(msgspec.Struct):
    """Consecutive events of one room that are published together, with versions from `first` to `last`.

    Only a batch of a single event may have a `traceparent`: the event is sampled.
    """

    first: int
    flags: bytes
    frames: list[bytes]
    traceparent: str = ""

    @property
    def last(self) -> int:
        return self.first + len(self.frames) - 1


def batch_events(events: Sequence[RoomEvent], traces: Mapping[int, str] = NO_TRACES) -> list[EventBatch]:
    """Group events in order of version into batches without gaps.

    Membership events, deletions and sampled events are batches of one. `traces` maps the versions of sampled events to
    their traceparents. Membership events carry no traceparent, because gateways of older releases would not recognise
    their flags with one.
    """
    batches: list[EventBatch] = []
    for event in events:
        flags = MEMBERS_CHANGED if isinstance(event, MEMBERSHIP) else PLAIN
        flags = DELETION if isinstance(event, MessageDeleted) else flags
        traced = traces.get(event.version, "") if traces and flags != MEMBERS_CHANGED else ""
        continues = batches and flags == batches[-1].flags == PLAIN and event.version == batches[-1].last + 1
        if continues and not traced and not batches[-1].traceparent:
            batches[-1].frames.append(event_frame(event))
        else:
            batches.append(EventBatch(event.version, flags, [event_frame(event)], traced))
    return batches


class Publication(msgspec.Struct):
    """A message on a room's channel. `first` and `last` are 0 for cursors and typing."""

    first: int
    last: int
    flags: bytes
    data: bytes
    """Joined frames, or for cursors a JSON object of user id → seq."""
    traceparent: str = ""


def publication_header(first: int, last: int, flags: bytes) -> bytes:
    return b"%d %d %s\n" % (first, last, flags)


def parse_publication(message: bytes) -> Publication:
    header, _, data = message.partition(b"\n")
    first, last, flags = header.split(b" ", 2)
    if b" " in flags:
        flags, _, traceparent = flags.partition(b" ")
        return Publication(int(first), int(last), flags, data, traceparent.decode())
    return Publication(int(first), int(last), flags, data)
