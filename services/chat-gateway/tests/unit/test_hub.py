"""Delivery by version, without gaps or duplicates, while readers join and leave. Resume points."""

import json
from contextvars import copy_context

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chat_gateway.hub import JOIN_S, Hub
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.limits import Limits
from chat_gateway.protocol.resume import ResumePoint, resume_point, split_at_leave
from shared.contracts.limits import MAX_RESUME
from shared.events.rooms import MemberLeft, MessageDeleted, MessageEdited, RoomEvent
from shared.ids import new_id
from shared.roomlog.frames import (
    Publication,
    batch_events,
    event_frame,
    parse_publication,
    payload_of,
    publication_header,
    split_frames,
)

from ..harness import FakeTransport  # noqa: TID252 - the tests of one service

ROOM = "room"


class Recorder(FakeTransport):
    """A transport that records bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def push(self, data: bytes) -> None:
        self.data += data

    push_droppable = push


class FakeReader(Connection):
    """A connection that records the frames that it gets, and the rooms from which it was removed."""

    def __init__(self, user_id: str) -> None:
        self.recorder, self.removed = Recorder(), list[str]()
        super().__init__(new_id(), user_id, "session", self.recorder, Limits(), 0.0, copy_context())

    @property
    def data(self) -> bytes:
        return self.recorder.data

    @property
    def frames(self) -> list[dict[str, object]]:
        return [json.loads(payload_of(frame)) for frame in split_frames(self.data)]

    @property
    def versions(self) -> list[object]:
        return [frame["version"] for frame in self.frames if "version" in frame]


def deleted(version: int) -> RoomEvent:
    return MessageDeleted(room_id=ROOM, version=version, at="t", seq=1, by="b" * (version * 7 % 300))


def edited(version: int) -> RoomEvent:
    return MessageEdited(room_id=ROOM, version=version, at="t", seq=1, body="x", edited_at="t", by="b")


def left(version: int, user_id: str) -> RoomEvent:
    return MemberLeft(room_id=ROOM, version=version, at="t", user_id=user_id, by=user_id)


def published(*events: RoomEvent) -> list[Publication]:
    """Return the publications of events, encoded and parsed again."""
    return [
        parse_publication(publication_header(batch.first, batch.last, batch.flags) + b"".join(batch.frames))
        for batch in batch_events(events)
    ]


def new_hub() -> Hub:
    return Hub(lambda: None, lambda reader, room_id: reader.removed.append(room_id))  # type: ignore[attr-defined]


def hub_with(*readers: FakeReader, version: int = 0) -> Hub:
    hub = new_hub()
    for reader in readers:
        assert hub.join(reader, ROOM, version, 0)
    return hub


def test_one_buffer_goes_to_all_readers_in_one_write():
    first, second = FakeReader("a"), FakeReader("b")
    hub = hub_with(first, second)
    for publication in published(deleted(1)) + published(deleted(2)):
        assert hub.receive(ROOM, publication)
    assert first.data == b""
    hub.flush()
    assert first.versions == second.versions == [1, 2]


def test_events_after_a_gap_are_not_delivered():
    reader = FakeReader("a")
    hub = hub_with(reader)
    assert not hub.receive(ROOM, published(deleted(2))[0])
    assert hub.receive_frames(ROOM, 1, [event_frame(deleted(1)), event_frame(deleted(2))])
    assert hub.receive(ROOM, published(deleted(2))[0])
    hub.flush()
    assert reader.versions == [1, 2]


@pytest.mark.parametrize("version", range(6))
def test_of_a_publication_that_overlaps_only_the_new_events_are_delivered(version: int):
    reader = FakeReader("a")
    hub = hub_with(reader, version=version)
    [publication] = published(edited(3), edited(4), edited(5))
    assert hub.receive(ROOM, publication) == (version >= 2)
    hub.flush()
    assert reader.versions == [seen for seen in (3, 4, 5) if 2 <= version < seen]
    assert hub.version_of(ROOM) == (max(version, 5) if version >= 2 else version)
    assert (hub.received, hub.delivered) == (len(reader.versions), len(reader.versions))


def test_two_publications_are_written_as_one_and_counted_for_each_reader():
    first, second = FakeReader("a"), FakeReader("b")
    hub = hub_with(first, second)
    for publication in [*published(edited(1), edited(2)), *published(deleted(3))]:
        hub.receive(ROOM, publication)
    hub.flush()
    assert (hub.received, hub.delivered) == (3, 6)
    assert first.data == second.data


def test_a_room_skips_forward_only():
    reader = FakeReader("a")
    hub = hub_with(reader, version=5)
    assert [hub.skip_to(ROOM, version) for version in (4, 5)] == [[], []]
    assert hub.skip_to("another", 9) == []
    assert hub.skip_to(ROOM, 7) == [reader]
    assert hub.version_of(ROOM) == 7


def test_a_room_without_readers_takes_nothing():
    hub = new_hub()
    assert hub.receive(ROOM, published(deleted(9))[0])
    assert hub.receive_frames(ROOM, 9, [event_frame(deleted(9))])
    hub.receive_cursors(ROOM, {"a": 1})
    hub.receive_typing(ROOM, "a", b"")
    hub.flush_cursors()
    assert (hub.rooms, hub.flush()) == ({}, b"")


def test_a_reader_joins_only_at_exactly_the_rooms_version():
    hub = hub_with(FakeReader("a"), version=5)
    late = FakeReader("b")
    assert not hub.join(late, ROOM, 4, 0)
    assert not hub.join(late, ROOM, 6, 0)
    assert hub.join(late, ROOM, 5, 0)


def test_output_is_written_before_a_reader_joins_or_leaves():
    first, second = FakeReader("a"), FakeReader("b")
    hub = hub_with(first)
    hub.receive(ROOM, published(deleted(1))[0])
    assert hub.join(second, ROOM, 1, 0)
    hub.receive(ROOM, published(deleted(2))[0])
    hub.leave(first, ROOM)
    hub.receive(ROOM, published(deleted(3))[0])
    hub.flush()
    assert (first.versions, second.versions) == ([1, 2], [2, 3])
    assert (hub.received, hub.delivered) == (3, 4)


def test_a_flush_returns_the_output_that_waited_longest():
    hub = hub_with(FakeReader("a"))
    assert hub.join(FakeReader("b"), "other", 7, 0)
    assert hub.flush() == b""
    older, newer = published(deleted(1))[0], published(deleted(8))[0]
    assert hub.receive(ROOM, older)
    assert hub.receive("other", newer)
    assert hub.receive(ROOM, published(deleted(2))[0])
    assert hub.flush() == older.data
    assert hub.received == hub.delivered == 3


def test_a_busy_room_joins_its_output_while_an_idle_one_is_written_at_once():
    busy, idle = FakeReader("a"), FakeReader("b")
    flushes = []
    hub = Hub(lambda: flushes.append(True), lambda *_: None)
    assert hub.join(busy, ROOM, 0, 0)
    assert hub.join(idle, "other", 0, 0)
    first, second, third = (published(deleted(version))[0] for version in (1, 2, 3))
    hub.receive(ROOM, first)
    assert hub.flush_idle(10) == first.data
    assert not hub.is_joining
    hub.receive(ROOM, second)
    assert hub.flush_idle(10 + JOIN_S / 2) == b""
    assert hub.is_joining
    hub.receive(ROOM, third)
    assert len(flushes) == 2, "output that joins other output needs no flush of its own"
    hub.receive("other", first)
    assert hub.flush_idle(10 + JOIN_S / 2) == first.data
    assert (busy.versions, idle.versions) == ([1], [1])
    assert hub.flush(10 + JOIN_S) == second.data
    assert busy.data == first.data + second.data + third.data
    assert not hub.is_joining
    hub.receive(ROOM, published(deleted(4))[0])
    hub.flush_idle(10 + 3 * JOIN_S)
    assert busy.versions == [1, 2, 3, 4]


def test_joined_output_is_written_before_a_reader_joins_or_leaves():
    first, second = FakeReader("a"), FakeReader("b")
    hub = hub_with(first)
    for version in (1, 2):
        hub.receive(ROOM, published(deleted(version))[0])
        hub.flush_idle(10)
    assert hub.is_joining
    assert hub.join(second, ROOM, 2, 0)
    assert (first.versions, second.versions) == ([1, 2], [])
    assert hub.flush(11) == b""
    hub.receive(ROOM, published(deleted(3))[0])
    hub.flush_idle(11)
    hub.flush_room(ROOM)
    assert (first.versions, second.versions) == ([1, 2, 3], [3])
    hub.receive(ROOM, published(deleted(4))[0])
    hub.flush_idle(11)
    hub.leave(first, ROOM)
    assert (first.versions, second.versions) == ([1, 2, 3, 4], [3, 4])


def test_the_first_output_of_a_room_is_written_at_once():
    reader = FakeReader("a")
    hub = hub_with(reader)
    hub.receive(ROOM, published(deleted(1))[0])
    hub.flush_idle(0)
    assert (reader.versions, hub.is_joining) == ([1], False)
    assert JOIN_S <= 0.01  # nobody notices the delay


def test_the_joined_output_of_a_room_can_be_written_early():
    reader = FakeReader("a")
    hub = hub_with(reader)
    for version in (1, 2):
        hub.receive(ROOM, published(deleted(version))[0])
        hub.flush_idle(10)
    assert reader.versions == [1]
    hub.flush_room("another")
    hub.flush_room(ROOM)
    assert (reader.versions, hub.is_joining) == ([1, 2], False)


def test_a_reader_that_left_gets_its_member_left_and_then_room_removed():
    leaving, other = FakeReader("a"), FakeReader("b")
    hub = hub_with(leaving, other)
    for publication in published(deleted(1), left(2, "a"), deleted(3)):
        hub.receive(ROOM, publication)
    hub.flush()
    assert [frame["op"] for frame in leaving.frames] == ["message.deleted", "member.left", "room.removed"]
    assert leaving.removed == [ROOM]
    assert other.versions == [1, 2, 3]


def test_only_a_departure_after_joining_removes_a_reader():
    reader = FakeReader("a")
    hub = new_hub()
    hub.join(reader, ROOM, 1, 5)
    hub.receive_frames(ROOM, 2, [event_frame(left(2, "a")), *(event_frame(deleted(v)) for v in (3, 4, 5))])
    assert hub.reads(reader, ROOM)
    hub.receive_frames(ROOM, 6, [event_frame(left(6, "a"))])
    assert not hub.reads(reader, ROOM)


def test_moved_cursors_are_merged_to_the_highest():
    reader = FakeReader("a")
    hub = hub_with(reader)
    for cursors in ({"x": 3, "y": 1}, {"x": 2}, {"y": 4}):
        hub.receive_cursors(ROOM, cursors)
    hub.flush_cursors()
    hub.flush_cursors()
    assert [frame["cursors"] for frame in reader.frames] == [{"x": 3, "y": 4}]


def test_typing_is_not_sent_to_the_typing_user():
    typist, other = FakeReader("a"), FakeReader("b")
    hub = hub_with(typist, other)
    hub.receive_typing(ROOM, "a", event_frame(deleted(1)))
    assert (typist.data, other.versions) == (b"", [1])


def test_a_room_without_readers_is_forgotten():
    reader = FakeReader("a")
    hub = hub_with(reader)
    hub.leave(reader, ROOM)
    assert hub.rooms == {}


EVENTS = [deleted(version) for version in range(1, 31)]
FRAMES = [event_frame(event) for event in EVENTS]


@settings(deadline=None)
@given(st.data())
def test_any_interleaving_of_publications_and_reads_is_delivered_without_gaps_or_duplicates(data: st.DataObject):
    """Publications arrive late, twice, out of order or never. Reads and joins happen at any time."""
    total = data.draw(st.integers(1, len(EVENTS)))
    events, frames = EVENTS[:total], FRAMES[:total]
    hub = hub_with(first := FakeReader("a"))
    joined: list[tuple[FakeReader, int]] = [(first, 0)]
    for _ in range(data.draw(st.integers(0, 25))):
        version = hub.version_of(ROOM) or 0
        match data.draw(st.sampled_from(["publish", "read", "join", "flush"])):
            case "publish":
                start = data.draw(st.integers(0, total - 1))
                end = data.draw(st.integers(start + 1, total))
                for publication in published(*events[start:end]):
                    assert hub.receive(ROOM, publication) == (publication.first <= (hub.version_of(ROOM) or 0) + 1)
            case "read":
                after = data.draw(st.integers(0, version))
                end = data.draw(st.integers(after, total))
                assert hub.receive_frames(ROOM, after + 1, frames[after:end])
            case "join":
                late = FakeReader("b")
                cursor = data.draw(st.integers(max(0, version - 1), min(total, version + 1)))
                if hub.join(late, ROOM, cursor, 0):
                    assert cursor == version
                    joined.append((late, cursor))
            case "flush":
                hub.flush()
    assert hub.receive_frames(ROOM, (hub.version_of(ROOM) or 0) + 1, frames[hub.version_of(ROOM) or 0 :])
    hub.flush()
    for reader, cursor in joined:
        assert reader.versions == list(range(cursor + 1, total + 1))


@settings(deadline=None)
@given(
    cursor=st.none() | st.integers(0, 20_000),
    head=st.integers(0, 12_000),
    joined=st.integers(0, 12_000),
    same=st.booleans(),
)
@example(cursor=5, head=5, joined=5, same=False)
@example(cursor=5, head=5 + MAX_RESUME, joined=5, same=True)
@example(cursor=5, head=6 + MAX_RESUME, joined=5, same=True)
@example(cursor=5, head=9, joined=6, same=True)
@example(cursor=4_095, head=4_096, joined=0, same=True)
@example(cursor=1_000, head=1_000, joined=5, same=True)
@example(cursor=6, head=5, joined=0, same=True)
@example(cursor=None, head=5, joined=0, same=False)
def test_a_connection_resumes_at_its_cursor_only_if_the_log_allows_it(
    cursor: int | None, head: int, joined: int, same: bool
):
    joined = min(joined, head)
    point = resume_point(cursor, head=head, joined_version=joined, same_log=same)
    if cursor is not None and same and joined <= cursor <= head <= cursor + MAX_RESUME:
        assert point == ResumePoint(cursor, reset=False)
    else:
        assert point == ResumePoint(head, reset=cursor is not None)


def test_frames_after_the_users_own_departure_are_not_sent():
    frames = [event_frame(e) for e in (left(3, "other"), deleted(4), left(5, "a"), deleted(6))]
    assert split_at_leave(frames, "a", 2) == (frames[:3], True)
    assert split_at_leave(frames, "a", 5) == (frames, False)


def test_versions_are_compared_by_value():
    """Python has one object for each small integer, so a comparison of objects would show only above 256."""
    hub = hub_with(FakeReader("a"), version=999)
    assert hub.receive(ROOM, published(edited(1_000))[0])
    assert hub.join(FakeReader("b"), ROOM, 1_000, 0)


def test_a_departure_removes_the_readers_of_that_user_only():
    readers = [FakeReader(user_id) for user_id in ("a", "b", "c")]
    hub = hub_with(*readers)
    hub.receive(ROOM, published(left(1, "b"))[0])
    assert [hub.reads(reader, ROOM) for reader in readers] == [True, False, True]


def test_the_departure_of_another_user_ends_nothing():
    frames = [event_frame(left(version, user_id)) for version, user_id in enumerate("ac", 3)]
    assert split_at_leave(frames, "b", 2) == (frames, False)
