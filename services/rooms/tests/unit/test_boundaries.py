"""The boundaries of the domain: documented limits, the values at and beyond them, and exact results."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rooms.domain.creation import create_direct, create_group
from rooms.domain.errors import error_of, invalid
from rooms.domain.membership import MAX_MEMBERS, MAX_ROOMS_PER_USER
from rooms.domain.messages import MAX_DIFFERENT_EMOJI, MAX_REACTIONS
from rooms.domain.paging import Around, window_of
from rooms.domain.read_set import ReadSet, read_set_of
from rooms.domain.search import MAX_SEARCH_TEXT_CHARACTERS, NEWEST, SearchCursor, query_of, sample_distances
from rooms.domain.serializers import membership_of, room_entry, room_of
from rooms.domain.state import MemberState, RoomState, StoredMessage, direct_key, estimated_bytes
from rooms.domain.unit_of_work import UnitOfWork
from rooms.domain.validation import (
    MAX_EMOJI_BYTES,
    MAX_MESSAGE_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    check_seq,
    check_user_ids,
    is_storable,
    title_of,
    validate,
)
from shared.contracts.media import Attachment
from shared.contracts.rooms import (
    DeleteMessage,
    EditMessage,
    InviteMembers,
    LeaveRoom,
    MuteRoom,
    ReactToMessage,
    ReadRoom,
    RemoveMember,
    SendMessage,
    SetRole,
    UpdateRoom,
)
from shared.errors import Conflict, DomainError
from shared.ids import new_id, rfc3339

PROTOCOL = (Path(__file__).parents[4] / "docs" / "protocol" / "README.md").read_text()
ROOM, A, B, CLIENT = (f"0198c0de-0000-7000-8000-00000000000{number}" for number in range(4))
FILE = Attachment(attachment_id=new_id(), filename="f", content_type="x", size=1, url="/x")


def message(**fields: Any) -> StoredMessage:
    values: dict[str, Any] = {
        "room_id": ROOM, "seq": 1, "version": 2, "sender_id": A, "client_id": CLIENT, "digest": b"", "kind": "text",
        "body": "", "at": 5, "edited_at": None, "deleted": False, "reply_to": None, "attachments": None,
        "mentions": None, "reaction_count": 0,
    }  # fmt: skip
    return StoredMessage(**values | fields)


def group(**fields: Any) -> RoomState:
    return msgspec.structs.replace(RoomState(ROOM, "group", "x", None, 1, 9, 8, 3, 7, 2), **fields)


def test_the_limits_are_the_documented_ones() -> None:
    assert (
        f"| message | {MAX_MESSAGE_CHARACTERS:,} characters, 10 attachments, 50 mentions; "
        f"{MAX_DIFFERENT_EMOJI} different emoji and {MAX_REACTIONS:,} reactions |"
    ) in PROTOCOL
    assert (
        f"| room | {MAX_MEMBERS:,} members, 100 user IDs per call, title of 1 to {MAX_TITLE_CHARACTERS} characters; "
        f"a user is in at most {MAX_ROOMS_PER_USER:,} rooms |"
    ) in PROTOCOL
    assert (MAX_EMOJI_BYTES, MAX_SEARCH_TEXT_CHARACTERS) == (32, 2 * MAX_MESSAGE_CHARACTERS)


def test_values_at_the_limits_are_valid() -> None:
    check_seq("seq", 1)
    check_seq("offset", 0, least=0)
    check_seq("seq", 2**53 - 1)
    check_user_ids([A] * 100)
    assert title_of("x") == "x"
    assert title_of("x" * 100) == "x" * 100
    for kind, fields in (
        (EditMessage, {"seq": 1, "body": ""}), (EditMessage, {"seq": 1, "body": "x" * 4000}),
        (ReactToMessage, {"seq": 1, "emoji": "x" * 32}), (ReactToMessage, {"seq": 1, "emoji": "🦊" * 8}),
        (UpdateRoom, {"pinned_seq": 1}), (UpdateRoom, {"pinned_seq": None}), (DeleteMessage, {"seq": 2**53 - 1}),
    ):  # fmt: skip
        command = kind(command_id=CLIENT, room_id=ROOM, user_id=A, **fields)
        assert validate(command) == command


@pytest.mark.parametrize(
    ("check", "detail"),
    [
        (lambda: check_seq("seq", 0), "seq: an integer from 1 to 2^53 - 1."),
        (lambda: check_seq("offset", -1, least=0), "offset: an integer from 0 to 2^53 - 1."),
        (lambda: title_of("x" * 101), "title: 1 to 100 characters."),
        (lambda: check_user_ids([A] * 101), "user_ids: at most 100."),
    ],
)
def test_an_error_names_its_field(check: Callable[[], object], detail: str) -> None:
    with pytest.raises(DomainError) as raised:
        check()
    field, _, problem = detail.partition(": ")
    assert (raised.value.detail, raised.value.errors) == (detail, {field: problem})


def test_only_an_invalid_input_has_a_field() -> None:
    assert invalid("There is a problem").errors == {}
    assert error_of("invalid", "title: too long").errors == {"title": "too long"}
    conflict = error_of("conflict", "client_id: was used")
    assert (type(conflict), conflict.errors) == (Conflict, {})


def test_nul_and_surrogates_cannot_be_stored() -> None:
    assert [is_storable(f"a{character}") for character in "\x01\ud7ff\ue000"] == [True] * 3
    assert [is_storable(f"a{character}") for character in "\x00\ud800\udfff"] == [False] * 3


def test_the_estimated_size_of_a_message() -> None:
    assert estimated_bytes(message()) == 400
    assert estimated_bytes(message(body="안녕")) == 406
    assert estimated_bytes(message(attachments=b"12345", mentions=b"123", reaction_count=2)) == 498


def test_a_new_group_has_one_event_per_member() -> None:
    work = UnitOfWork(now=1_000, open_accounts=frozenset([A, B]))
    room = create_group(work, ROOM, A, "Room", [B])
    assert room == RoomState(ROOM, "group", "Room", None, 1_000, 2, 0, 2, None, 1_000)
    assert work.created_rooms == {ROOM}
    assert work.members[ROOM, A] == MemberState(ROOM, A, "owner", 0, 0, 1, 1_000)
    assert work.members[ROOM, B] == MemberState(ROOM, B, "member", 0, 0, 2, 1_000)
    assert (work.room_counts, work.changed_room_lists) == ({A: 1, B: 1}, {A, B})


def test_a_new_direct_room_has_its_pair() -> None:
    work = UnitOfWork(now=1_000, open_accounts=frozenset([A, B]))
    room = create_direct(work, ROOM, A, B)
    assert room == RoomState(ROOM, "direct", "", direct_key(A, B), 1_000, 2, 0, 2, None, 1_000)
    assert [member.role for member in work.members.values()] == ["member", "member"]


def test_a_room_as_its_member_sees_it() -> None:
    member = MemberState(ROOM, A, "admin", 5, 3, 4, 2, muted=True, shown_version=6)
    shown = room_of(group(), member, None)
    assert (shown.version, shown.last_seq, shown.read_seq, shown.unread) == (9, 8, 5, 3)
    assert (shown.member_count, shown.muted, shown.role, shown.pinned_seq, shown.peer_id) == (3, True, "admin", 7, None)
    assert room_of(group(head_seq=4), member, None).unread == 0  # a snapshot may be older than the cursor
    place = membership_of(member)
    assert (place.since, place.joined_version, place.joined_seq, place.muted) == (6, 4, 3, True)
    assert membership_of(msgspec.structs.replace(member, shown_version=0)).since == 4
    assert room_entry(group(), member, None).membership == place


def test_a_version_never_has_an_earlier_time_than_the_one_before() -> None:
    work, room = UnitOfWork(now=5), group(updated_at=7)
    assert work.next_event(room) == (10, rfc3339(7))
    work.now = 8
    assert work.next_event(room) == (11, rfc3339(8))


@pytest.mark.parametrize(("query", "valid"), [("ab", True), ("a" * 100, True), ("a", False), ("a" * 101, False)])
def test_a_query_has_2_to_100_characters(query: str, valid: bool) -> None:
    if valid:
        assert query_of(query) == query
    else:
        with pytest.raises(DomainError):
            query_of(query)


def test_sampled_distances_double() -> None:
    assert sample_distances(1) == [0, 1]
    assert sample_distances(2) == [0, 1, 2]
    assert sample_distances(4) == [0, 1, 2, 4]
    assert sample_distances(10) == [0, 1, 2, 4, 8, 10]


def test_a_search_begins_before_every_message() -> None:
    latest = SearchCursor(2**53 - 1, "00000000-0000-0000-0000-000000000001", 2**53 - 1)
    assert NEWEST.order < latest.order
    assert SearchCursor(2, "b", 1).order < SearchCursor(1, "a", 9).order
    assert SearchCursor(1, "a", 9).order < SearchCursor(1, "a", 8).order < SearchCursor(1, "b", 9).order


def test_a_page_around_a_message_has_half_before_it() -> None:
    window = window_of(Around(50), 10, 0, 100)
    assert (window.first, window.last, window.anchor, window.has_more) == (45, 54, 50, True)
    window = window_of(Around(50), 5, 0, 100)
    assert (window.first, window.last) == (48, 52)


def test_each_command_reads_what_it_needs() -> None:
    def reads(kind: Any, **fields: Any) -> dict[str, Any]:
        read_set = read_set_of([kind(command_id=CLIENT, room_id=ROOM, user_id=A, **fields)])
        return {name: value for name in ReadSet.__struct_fields__ if (value := getattr(read_set, name))}

    actor, command = (ROOM, A), (ROOM, A, CLIENT)
    change = {"locked_rooms": {ROOM}, "members": {actor}, "commands": {command}}
    both = {"members": {actor, (ROOM, B)}}
    assert reads(ReadRoom, seq=1) == {"unlocked_rooms": {ROOM}, "members": {actor}}
    assert reads(MuteRoom, muted=True) == {"locked_rooms": {ROOM}, "members": {actor}}
    assert reads(UpdateRoom, title="x") == change | {"writers": {actor}}
    assert reads(EditMessage, seq=3, body="x") == change | {"messages": {(ROOM, 3)}, "writers": {actor}}
    assert reads(DeleteMessage, seq=3) == change | {"messages": {(ROOM, 3)}, "deletions": {(ROOM, 3)}}
    assert reads(ReactToMessage, seq=3, emoji="a") == change | {
        "messages": {(ROOM, 3)}, "reactions": {(ROOM, 3, "a", A)}, "writers": {actor},
    }  # fmt: skip
    assert reads(InviteMembers, user_ids=[B]) == change | both | {"invited": {B}, "inviters": {(B, A)}}
    assert reads(LeaveRoom) == change | {"leavers": {actor}}
    assert reads(RemoveMember, target_id=B) == change | both | {"leavers": {actor}}
    assert reads(SetRole, target_id=B, role="owner") == change | both | {"new_owners": {ROOM}}
    for role in ("admin", "member"):
        assert reads(SetRole, target_id=B, role=role) == change | both
    assert reads(
        SendMessage, client_id=CLIENT, body="", mentions=[B, "nobody"],
        attachments=[FILE, msgspec.structs.replace(FILE, attachment_id="no id")],
    ) == {
        "locked_rooms": {ROOM}, "sends": {command}, "writers": {actor}, "attachments": {(ROOM, FILE.attachment_id)},
    } | both  # fmt: skip


def test_a_locked_room_is_not_read_without_a_lock() -> None:
    read = ReadRoom(command_id=CLIENT, room_id=ROOM, user_id=A, seq=1)
    mute = MuteRoom(command_id=CLIENT, room_id=ROOM, user_id=A, muted=True)
    read_set = read_set_of([read, mute])
    assert (read_set.locked_rooms, read_set.unlocked_rooms) == ({ROOM}, set())
