"""Delivery: by version, without gap or repeat, whoever joins or leaves meanwhile."""

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from chat_gateway.hub import Hub
from chat_gateway.protocol.resume import Start, resume_point, split_at_leave
from shared.contracts.rooms import MAX_RESUME
from shared.events.rooms import MemberLeft, MessageDeleted, RoomEvent
from shared.roomlog.frames import (
    Publication,
    batch_events,
    event_frame,
    parse_publication,
    payload_of,
    publication_header,
    split_frames,
)

ROOM = "room"


class KeepingReader:
    """A reader that keeps what it gets: the hub's own seam, no socket needed."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.data = b""
        self.removed: list[str] = []

    def push(self, data: bytes) -> None:
        self.data += data

    push_droppable = push

    def removed_from(self, room_id: str) -> None:
        self.removed.append(room_id)

    @property
    def frames(self) -> list[dict[str, object]]:
        return [json.loads(payload_of(frame)) for frame in split_frames(self.data)]

    @property
    def versions(self) -> list[object]:
        return [frame["version"] for frame in self.frames if "version" in frame]


def deleted(version: int) -> RoomEvent:
    return MessageDeleted(room_id=ROOM, version=version, at="t", seq=1, by="b" * (version * 7 % 300))


def left(version: int, user_id: str) -> RoomEvent:
    return MemberLeft(room_id=ROOM, version=version, at="t", user_id=user_id, by=user_id)


def live(*events: RoomEvent) -> list[Publication]:
    """As published: runs, through the bytes of the channel."""
    return [
        parse_publication(publication_header(run.first, run.last, run.flags) + b"".join(run.frames))
        for run in batch_events(events)
    ]


def hub_with(*readers: KeepingReader, version: int = 0) -> Hub:
    hub = Hub(lambda: None)
    for reader in readers:
        assert hub.join(reader, ROOM, version, 0)
    return hub


def test_one_buffer_goes_to_all_readers_in_one_write():
    first, second = KeepingReader("a"), KeepingReader("b")
    hub = hub_with(first, second)
    for run in live(deleted(1)) + live(deleted(2)):
        assert hub.receive(ROOM, run)
    assert first.data == b""
    hub.flush()
    assert first.versions == second.versions == [1, 2]


def test_a_hole_is_not_delivered_over():
    reader = KeepingReader("a")
    hub = hub_with(reader)
    assert not hub.receive(ROOM, live(deleted(2))[0])
    assert hub.receive_frames(ROOM, 1, [event_frame(deleted(1)), event_frame(deleted(2))])
    assert hub.receive(ROOM, live(deleted(2))[0])
    hub.flush()
    assert reader.versions == [1, 2]


def test_joining_needs_exactly_the_rooms_version():
    hub = hub_with(KeepingReader("a"), version=5)
    late = KeepingReader("b")
    assert not hub.join(late, ROOM, 4, 0)
    assert not hub.join(late, ROOM, 6, 0)
    assert hub.join(late, ROOM, 5, 0)


def test_what_waits_is_written_before_a_reader_joins_or_leaves():
    first, second = KeepingReader("a"), KeepingReader("b")
    hub = hub_with(first)
    hub.receive(ROOM, live(deleted(1))[0])
    assert hub.join(second, ROOM, 1, 0)
    hub.receive(ROOM, live(deleted(2))[0])
    hub.leave(first, ROOM)
    hub.receive(ROOM, live(deleted(3))[0])
    hub.flush()
    assert (first.versions, second.versions) == ([1, 2], [2, 3])
    assert (hub.received, hub.delivered) == (3, 4)


def test_a_flush_tells_what_waited_longest():
    hub = hub_with(KeepingReader("a"))
    assert hub.join(KeepingReader("b"), "other", 7, 0)
    assert hub.flush() == b""
    older, newer = live(deleted(1))[0], live(deleted(8))[0]
    assert hub.receive(ROOM, older)
    assert hub.receive("other", newer)
    assert hub.receive(ROOM, live(deleted(2))[0])
    assert hub.flush() == older.data
    assert hub.received == hub.delivered == 3


def test_who_left_gets_its_leaving_last_and_is_told():
    leaver, other = KeepingReader("a"), KeepingReader("b")
    hub = hub_with(leaver, other)
    for run in live(deleted(1), left(2, "a"), deleted(3)):
        hub.receive(ROOM, run)
    hub.flush()
    assert [frame["op"] for frame in leaver.frames] == ["message.deleted", "member.left", "room.removed"]
    assert leaver.removed == [ROOM]
    assert other.versions == [1, 2, 3]


def test_only_a_later_leaving_takes_a_reader_out():
    back = KeepingReader("a")
    hub = Hub(lambda: None)
    hub.join(back, ROOM, 1, 5)
    hub.receive_frames(ROOM, 2, [event_frame(left(2, "a")), *(event_frame(deleted(v)) for v in (3, 4, 5))])
    assert hub.reads(back, ROOM)
    hub.receive_frames(ROOM, 6, [event_frame(left(6, "a"))])
    assert not hub.reads(back, ROOM)


def test_cursors_merge_to_the_highest():
    reader = KeepingReader("a")
    hub = hub_with(reader)
    for cursors in ({"x": 3, "y": 1}, {"x": 2}, {"y": 4}):
        hub.receive_cursors(ROOM, cursors)
    hub.flush_cursors()
    hub.flush_cursors()
    assert [frame["cursors"] for frame in reader.frames] == [{"x": 3, "y": 4}]


def test_typing_is_not_for_the_typist():
    typist, other = KeepingReader("a"), KeepingReader("b")
    hub = hub_with(typist, other)
    hub.receive_typing(ROOM, "a", event_frame(deleted(1)))
    assert (typist.data, other.versions) == (b"", [1])


def test_a_room_without_readers_is_forgotten():
    reader = KeepingReader("a")
    hub = hub_with(reader)
    hub.leave_all(reader, [ROOM])
    assert hub.rooms == {}


EVENTS = [deleted(version) for version in range(1, 31)]
FRAMES = [event_frame(event) for event in EVENTS]


@settings(deadline=None)
@given(st.data())
def test_any_interleaving_of_published_and_read_events_is_gapless_and_without_repeat(data: st.DataObject):
    """Runs come late, twice, out of order or never; reads come at any time; readers join at their version."""
    total = data.draw(st.integers(1, len(EVENTS)))
    events, frames = EVENTS[:total], FRAMES[:total]
    hub = hub_with(readers := KeepingReader("a"))
    joined: list[tuple[KeepingReader, int]] = [(readers, 0)]
    for _ in range(data.draw(st.integers(0, 25))):
        version = hub.version_of(ROOM) or 0
        match data.draw(st.sampled_from(["live", "read", "join", "flush"])):
            case "live":
                start = data.draw(st.integers(0, total - 1))
                end = data.draw(st.integers(start + 1, total))
                for run in live(*events[start:end]):
                    assert hub.receive(ROOM, run) == (run.first <= (hub.version_of(ROOM) or 0) + 1)
            case "read":
                after = data.draw(st.integers(0, version))
                end = data.draw(st.integers(after, total))
                assert hub.receive_frames(ROOM, after + 1, frames[after:end])
            case "join":
                late = KeepingReader("b")
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
@example(cursor=6, head=5, joined=0, same=True)
@example(cursor=None, head=5, joined=0, same=False)
def test_a_start_goes_on_exactly_where_the_log_can(cursor: int | None, head: int, joined: int, same: bool):
    joined = min(joined, head)
    start = resume_point(cursor, head=head, joined_version=joined, same_log=same)
    if cursor is not None and same and joined <= cursor <= head <= cursor + MAX_RESUME:
        assert start == Start(cursor, reset=False)
    else:
        assert start == Start(head, reset=cursor is not None)


def test_frames_after_ones_own_leaving_are_not_sent():
    frames = [event_frame(e) for e in (left(3, "other"), deleted(4), left(5, "a"), deleted(6))]
    assert split_at_leave(frames, "a", 2) == (frames[:3], True)
    assert split_at_leave(frames, "a", 5) == (frames, False)
