"""The joining of rooms, sans I/O: pages go in, and what to send and to do next comes out."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_gateway.protocol.joining import Joining, Leave, Next, Reset, Send
from chat_gateway.protocol.resume import EventPage
from shared.contracts.rooms import Membership
from shared.events.rooms import MemberLeft, MessageDeleted
from shared.roomlog.frames import event_frame

ROOM = "room"


def member(since: int = 1) -> Membership:
    return Membership(since=since, joined_version=since, joined_seq=0, muted=False)


def frames(first: int, last: int) -> list[bytes]:
    return [
        event_frame(MessageDeleted(room_id=ROOM, version=version, at="t", seq=1, by="b"))
        for version in range(first, last + 1)
    ]


def left(version: int, user_id: str = "minji") -> bytes:
    return event_frame(MemberLeft(room_id=ROOM, version=version, at="t", user_id=user_id, by=user_id))


def joining(cursor: int = 5, head: int = 7, **memberships: Membership) -> Joining:
    return Joining("minji", memberships or {ROOM: member()}, {ROOM: cursor}, {ROOM: head})


def test_a_room_whose_snapshot_is_at_the_cursor_may_be_joined_without_loading():
    assert joining(7, 7).complete == joining(8, 7).complete == [ROOM]
    assert joining(6, 7).complete == []


@pytest.mark.parametrize(("hub", "expected"), [(None, Next.JOIN), (5, Next.JOIN), (4, Next.REPAIR), (6, Next.LOAD)])
def test_the_next_step_depends_on_the_version_of_the_hub(hub: int | None, expected: Next):
    assert joining(5, 5).next(ROOM, hub) == expected


def test_versions_are_compared_by_value():
    """Python has one object for each small integer, so a comparison of objects would show only above 256."""
    thousand = int("1000")
    one = joining(1000, 1000, room=member(thousand))
    assert one.belongs(ROOM, member(int("1000")))
    assert one.next(ROOM, int("1000")) == Next.JOIN


def test_a_page_moves_the_cursor_and_the_last_page_completes_the_room():
    one = joining(5)
    assert one.receive(ROOM, EventPage(frames(6, 7), complete=False), member()) == [Send(b"".join(frames(6, 7)))]
    assert (one.cursors, one.complete) == ({ROOM: 7}, [])
    assert one.receive(ROOM, EventPage([], complete=True), member()) == []
    assert (one.cursors, one.complete) == ({ROOM: 7}, [ROOM])


def test_a_later_page_may_end_the_completeness():
    one = joining(7, 7)
    one.receive(ROOM, EventPage(frames(8, 8), complete=False), member())
    assert one.complete == []


def test_a_log_that_does_not_reach_back_resets_the_room_at_its_head():
    one = joining(5)
    assert one.receive(ROOM, EventPage([], complete=True, gone=True, head=9), member()) == [Reset()]
    assert (one.cursors, one.complete) == ({ROOM: 9}, [ROOM])


def test_nothing_is_sent_after_the_users_departure():
    one, page = joining(5), EventPage([*frames(6, 6), left(7), *frames(8, 8)], complete=True)
    assert one.receive(ROOM, page, member()) == [Send(frames(6, 6)[0] + left(7)), Leave()]
    assert one.cursors == {}
    assert one.next_rooms({ROOM: member()}, 9) == {}


@pytest.mark.parametrize(
    ("page", "membership"),
    [
        (None, member()),
        (EventPage(frames(6, 7), complete=True), None),
        (EventPage([left(6)], complete=True), member(2)),
    ],
    ids=["deleted", "left", "rejoined"],
)
def test_a_room_that_is_gone_or_has_another_membership_is_forgotten(page: Any, membership: Membership | None):
    one = joining(5)
    assert (one.receive(ROOM, page, membership), one.cursors) == ([], {})


def test_only_rooms_of_the_membership_that_joins_are_loaded_a_few_at_a_time():
    memberships = {room_id: member() for room_id in "abc"}
    one = Joining("minji", memberships, {"a": 1, "b": 2, "c": 3, "d": 4}, dict.fromkeys("abcd", 9))
    assert one.next_rooms(memberships | {"b": member(5), "d": member()}, 9) == {"a": 1, "c": 3}
    assert one.next_rooms(memberships, 2) == {"a": 1, "b": 2}
    assert (one.belongs("d", member()), one.belongs("a", None)) == (False, False)


@settings(deadline=None)
@given(
    cursor=st.integers(0, 6),
    grows=st.lists(st.integers(0, 3), max_size=8),
    page=st.integers(1, 4),
    hub=st.integers(0, 6) | st.none(),
)
def test_a_room_that_grows_is_joined_without_gaps_or_duplicates(
    cursor: int, grows: list[int], page: int, hub: int | None
):
    """The hub is somewhere in the log, and is moved to its head by a repair."""
    head, sent, growth = 6, list[bytes](), iter(grows)
    one = joining(cursor, head)
    for _ in range(60):
        if ROOM in one.complete:
            match one.next(ROOM, hub):
                case Next.JOIN:
                    break
                case Next.REPAIR:
                    hub = head
                    continue
        version = one.cursors[ROOM]
        read = frames(version + 1, min(head, version + page))
        for step in one.receive(ROOM, EventPage(read, complete=version + len(read) == head), member()):
            assert isinstance(step, Send)
            sent += read
        head += next(growth, 0)
    assert one.next(ROOM, hub) == Next.JOIN
    assert sent == frames(cursor + 1, one.cursors[ROOM])
