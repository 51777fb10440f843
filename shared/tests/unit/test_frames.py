"""The encoding of events as WebSocket frames, and their grouping into publications."""

import pytest

from shared.events.rooms import MemberJoined, MessageDeleted, MessageEdited, RoomEvent, RoomUpdated
from shared.roomlog.frames import (
    CURSORS,
    DELETION,
    MEMBERS_CHANGED,
    PLAIN,
    TYPING,
    EventBatch,
    Publication,
    batch_events,
    decode_frame,
    event_frame,
    parse_publication,
    payload_of,
    publication_header,
    split_frames,
    text_frame,
    time_of,
)

AT = "2026-11-24T07:42:44.123Z"
TRACE = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


def edited(version: int, body: str = "x") -> RoomEvent:
    return MessageEdited(room_id="r", version=version, at=AT, seq=1, body=body, edited_at=AT, by="a")


def deleted(version: int) -> RoomEvent:
    return MessageDeleted(room_id="r", version=version, at=AT, seq=1, by="a")


def joined(version: int) -> RoomEvent:
    return MemberJoined(room_id="r", version=version, at=AT, user_id="u", by="a", role="member", read_seq=0)


def batches(*events: RoomEvent, traces: dict[int, str] | None = None) -> list[tuple[int, int, bytes, str]]:
    return [(batch.first, batch.last, batch.flags, batch.traceparent) for batch in batch_events(events, traces or {})]


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, b"\x81\x00"), (125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"), (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)  # fmt: skip
def test_a_text_frame_has_the_header_of_its_length(size: int, header: bytes) -> None:
    """RFC 6455 §5.2: a final, unmasked text frame."""
    payload = b"x" * size
    frame = text_frame(payload)
    assert frame == header + payload
    assert payload_of(frame) == payload


def test_joined_frames_of_every_length_are_split() -> None:
    frames = [
        text_frame(bytes([65 + index]) * size)
        for index, size in enumerate([0, 125, 126, 300, 65_535, 65_536, 70_000, 1])
    ]
    assert split_frames(b"".join(frames)) == frames
    assert split_frames(b"") == []


def test_an_event_is_decoded_from_its_frame() -> None:
    for event in (edited(1), edited(2, "y" * 1_000), deleted(3), joined(4)):
        assert decode_frame(event_frame(event)) == event


def test_the_time_of_joined_frames_is_that_of_the_first() -> None:
    later = MessageDeleted(room_id="r", version=2, at="2026-11-24T07:42:45.000Z", seq=1, by="a")
    assert time_of(event_frame(deleted(1)) + event_frame(later)) == 1_795_506_164_123
    assert time_of(event_frame(later) + event_frame(deleted(1))) == 1_795_506_165_000
    assert time_of(b"") is None
    assert time_of(text_frame(b'{"op":"x","at":"soon"}')) is None


def test_consecutive_events_are_one_batch() -> None:
    assert batches() == []
    assert batches(edited(5), edited(6), edited(7)) == [(5, 7, PLAIN, "")]
    assert batches(edited(1_000), edited(1_001)) == [(1_000, 1_001, PLAIN, "")]
    [batch] = batch_events([edited(5), edited(6)])
    assert batch == EventBatch(5, PLAIN, [event_frame(edited(5)), event_frame(edited(6))])


def test_a_version_that_does_not_follow_starts_a_batch() -> None:
    assert batches(edited(6), edited(5)) == [(6, 6, PLAIN, ""), (5, 5, PLAIN, "")]
    assert batches(edited(5), edited(7), edited(8)) == [(5, 5, PLAIN, ""), (7, 8, PLAIN, "")]


@pytest.mark.parametrize(("special", "flags"), [(joined(6), MEMBERS_CHANGED), (deleted(6), DELETION)])
def test_a_membership_event_and_a_deletion_are_batches_of_one(special: RoomEvent, flags: bytes) -> None:
    alone = (6, 6, flags, "")
    assert batches(edited(5), special, edited(7)) == [(5, 5, PLAIN, ""), alone, (7, 7, PLAIN, "")]
    again = type(special)(**{name: getattr(special, name) for name in special.__struct_fields__} | {"version": 7})
    assert batches(special, again) == [alone, (7, 7, flags, "")]


def test_a_room_update_is_a_plain_event() -> None:
    assert batches(RoomUpdated(room_id="r", version=1, at=AT, by="a", title="x"), edited(2)) == [(1, 2, PLAIN, "")]


def test_a_sampled_event_is_a_batch_of_one_with_its_traceparent() -> None:
    assert batches(edited(1), edited(2), edited(3), edited(4), traces={2: TRACE}) == [
        (1, 1, PLAIN, ""), (2, 2, PLAIN, TRACE), (3, 4, PLAIN, ""),
    ]  # fmt: skip
    assert batches(deleted(1), traces={1: TRACE}) == [(1, 1, DELETION, TRACE)]
    assert batches(joined(1), traces={1: TRACE}) == [(1, 1, MEMBERS_CHANGED, "")]


def test_a_publication_is_parsed_from_its_header_and_frames() -> None:
    data = event_frame(edited(12, "a line\nand another")) + event_frame(edited(13))
    assert publication_header(12, 13, PLAIN) == b"12 13 -\n"
    assert parse_publication(publication_header(12, 13, PLAIN) + data) == Publication(12, 13, PLAIN, data)
    traced = publication_header(12, 12, b"d " + TRACE.encode())
    assert parse_publication(traced + data) == Publication(12, 12, DELETION, data, TRACE)


def test_flags_differ() -> None:
    assert len({PLAIN, MEMBERS_CHANGED, DELETION, CURSORS, TYPING}) == 5
