"""Rules of the domain that random commands rarely reach, each on an exact example."""

from hashlib import sha256
from typing import Any

import msgspec
import pytest

from rooms.domain.creation import check_direct, create_direct, create_group, show_again
from rooms.domain.decide import decide
from rooms.domain.errors import error_of
from rooms.domain.membership import MAX_MEMBERS, MAX_ROOMS_PER_USER
from rooms.domain.messages import MAX_DIFFERENT_EMOJI, MAX_REACTIONS, digest_of
from rooms.domain.paging import After, Around, At, Before, Offset, PageAnchor, anchor_of, nearest, window_of
from rooms.domain.search import ScanRange, Slice, choose_slices, cut_page
from rooms.domain.state import MemberState, StoredMessage, estimated_bytes
from rooms.domain.stored_events import StoredEvent, event_of, stored_event_of
from rooms.domain.unit_of_work import RecordedEvent, UnitOfWork
from rooms.domain.validation import validate
from shared.contracts.media import Attachment
from shared.contracts.rooms import (
    Accepted,
    DeleteMessage,
    EditMessage,
    InviteMembers,
    LeaveRoom,
    MuteRoom,
    PageChoice,
    ReactToMessage,
    Rejected,
    RemoveMember,
    SendMessage,
    SetRole,
    UpdateRoom,
)
from shared.errors import DomainError
from shared.events.rooms import (
    MemberJoined,
    MemberLeft,
    MemberRoleChanged,
    MessageDeleted,
    MessageEdited,
    MessageReacted,
    RoomEvent,
    RoomUpdated,
)
from shared.ids import new_id, rfc3339

# The ID of OTHER is below that of ROOM, and the IDs of users rise.
OTHER, ROOM, A, B, C, D = (f"0198c0de-0000-7000-8000-00000000000{number}" for number in range(6))
DIRECT = new_id()
FILE = Attachment(attachment_id=new_id(), filename="f", content_type="x", size=1, url="/x")
HEAD: dict[str, Any] = {"room_id": ROOM, "version": 7, "at": rfc3339(5)}


@pytest.fixture
def work() -> UnitOfWork:
    """Return a group of A (owner), B, C and D, a group of D and A, and the direct room of A and B."""
    work = UnitOfWork(now=1_000, open_accounts=frozenset([A, B, C, D]))
    create_group(work, OTHER, D, "Other", [A])
    create_group(work, ROOM, A, "Room", [B, C, D])
    create_direct(work, DIRECT, A, B)
    return work


def run(work: UnitOfWork, kind: Any, user_id: str, room_id: str = ROOM, **fields: Any) -> Accepted | Rejected:
    """Decide a command as it arrives: decoded from JSON, so no string is the same object as in the state."""
    if kind is SendMessage:
        fields = {"client_id": new_id(), "body": "hi"} | fields
    command = kind(command_id=new_id(), room_id=room_id, user_id=user_id, **fields)
    return decide(work, msgspec.json.decode(msgspec.json.encode(command), type=kind))


def copied(text: str) -> str:
    """Return an equal string that is another object."""
    copy: str = msgspec.json.decode(msgspec.json.encode(text))
    return copy


def code(result: Accepted | Rejected) -> str:
    return "" if isinstance(result, Accepted) else result.code


def test_a_member_who_leaves_hands_over_nothing(work: UnitOfWork) -> None:
    before = len(work.events)
    run(work, LeaveRoom, C)
    assert [type(recorded.event) for recorded in work.events[before:]] == [MemberLeft]
    assert not work.members[ROOM, C].removed
    assert work.members[ROOM, A].role == "owner"


def test_an_admin_succeeds_before_a_member_who_joined_earlier(work: UnitOfWork) -> None:
    run(work, SetRole, A, target_id=D, role="admin")
    run(work, RemoveMember, A, target_id=A)
    assert [work.members[ROOM, user_id].role for user_id in (B, C, D)] == ["member", "member", "owner"]
    assert work.members[OTHER, A].is_current


def test_the_successor_is_in_the_same_room(work: UnitOfWork) -> None:
    work.members[OTHER, A].role = "admin"
    work.members[OTHER, A].joined_version = 0
    run(work, LeaveRoom, A)
    assert (work.members[ROOM, B].role, work.members[OTHER, D].role, work.members[OTHER, A].role) == (
        "owner", "owner", "admin",
    )  # fmt: skip


def test_whoever_is_removed_by_a_later_user_is_removed_too(work: UnitOfWork) -> None:
    run(work, SetRole, A, target_id=D, role="owner")
    run(work, RemoveMember, D, target_id=B)
    assert work.members[ROOM, B].removed


def test_a_room_count_falls_by_one(work: UnitOfWork) -> None:
    work.room_counts[C] = 5
    run(work, LeaveRoom, C)
    del work.room_counts[D]  # not loaded, because nobody invites D
    run(work, LeaveRoom, D)
    assert (work.room_counts[C], work.room_counts[D]) == (4, 0)


def test_limits_hold_for_several_users_and_beyond(work: UnitOfWork) -> None:
    for user_id in (B, C, D):
        run(work, LeaveRoom, user_id)
    room = work.rooms[ROOM]
    room.member_count = MAX_MEMBERS - 2
    assert code(run(work, InviteMembers, A, user_ids=[B, C, D])) == "conflict"
    work.room_counts[B] = MAX_ROOMS_PER_USER + 1
    assert code(run(work, InviteMembers, A, user_ids=[B])) == "conflict"
    assert code(run(work, InviteMembers, A, user_ids=[A, C, D])) == ""
    assert room.member_count == MAX_MEMBERS


def test_whoever_invites_is_not_invited(work: UnitOfWork) -> None:
    room = create_group(work, new_id(), copied(A), "x", [A, B])
    assert room.member_count == 2
    work.open_accounts = {B}
    assert code(run(work, InviteMembers, A, user_ids=[A, B])) == ""
    with pytest.raises(DomainError, match="your own"):
        check_direct(work, A, copied(A))


def test_the_members_of_a_room_are_found_by_its_id(work: UnitOfWork) -> None:
    for member in work.members.values():
        member.room_id = copied(member.room_id)
    run(work, LeaveRoom, A)
    assert work.members[ROOM, B].role == "owner"


def test_only_the_sender_changes_a_message_whatever_the_ids(work: UnitOfWork) -> None:
    run(work, SendMessage, D)
    for user_id in (B, C):
        assert code(run(work, DeleteMessage, user_id, seq=1)) == "forbidden"
    before = len(work.events)
    run(work, EditMessage, D, seq=1, body="hi")
    assert len(work.events) == before
    assert code(run(work, DeleteMessage, D, seq=1)) == ""


def test_a_reply_names_a_visible_message(work: UnitOfWork) -> None:
    for _ in range(2):
        run(work, SendMessage, A)
    assert [code(run(work, SendMessage, A, reply_to=seq)) for seq in (1, 3)] == ["", ""]
    assert code(run(work, SendMessage, A, reply_to=5)) == "invalid"
    work.members[ROOM, B].joined_seq = 2
    assert [code(run(work, DeleteMessage, B, seq=seq)) for seq in (1, 2, 3)] == ["not_found", "not_found", "forbidden"]


def test_a_message_with_attachments_is_a_file(work: UnitOfWork) -> None:
    run(work, SendMessage, A, attachments=[FILE])
    run(work, SendMessage, A)
    assert [work.messages[ROOM, seq].kind for seq in (1, 2)] == ["file", "text"]


def test_a_stored_message_that_changes_is_written_and_a_new_one_once(work: UnitOfWork) -> None:
    run(work, SendMessage, A)
    run(work, EditMessage, A, seq=1, body="new")
    assert work.changed_messages == {}
    work.new_messages.clear()  # as if stored before
    run(work, EditMessage, A, seq=1, body="newer")
    assert work.changed_messages == {(ROOM, 1): work.messages[ROOM, 1]}


def test_the_digest_of_a_message_never_changes() -> None:
    command = SendMessage(command_id="", room_id=ROOM, user_id=A, client_id=B, body="hi", reply_to=3, mentions=[C])
    assert digest_of(command) == sha256(b'["hi",3,[],["' + C.encode() + b'"]]').digest()


def test_any_other_content_under_a_used_client_id_is_a_conflict(work: UnitOfWork) -> None:
    client_id = new_id()
    run(work, SendMessage, A, client_id=client_id)
    for number in range(12):  # some digests are smaller, some are larger
        assert code(run(work, SendMessage, A, client_id=client_id, body=str(number))) == "conflict"


def test_reactions_beyond_the_limits_are_rejected(work: UnitOfWork) -> None:
    run(work, SendMessage, A)
    work.emoji_counts[ROOM, 1] = {str(number): 1 for number in range(MAX_DIFFERENT_EMOJI + 1)}
    assert code(run(work, ReactToMessage, A, seq=1, emoji="new")) == "conflict"
    work.messages[ROOM, 1].reaction_count = MAX_REACTIONS + 1
    assert code(run(work, ReactToMessage, A, seq=1, emoji="0")) == "conflict"


def test_one_of_three_references_is_removed(work: UnitOfWork) -> None:
    for _ in range(3):
        run(work, SendMessage, A, attachments=[FILE])
    run(work, DeleteMessage, A, seq=1)
    assert (work.references[ROOM, FILE.attachment_id], work.unreferenced) == (2, set())
    work.references.clear()
    run(work, DeleteMessage, A, seq=2)
    assert work.references[ROOM, FILE.attachment_id] is None
    assert work.unreferenced == {(ROOM, FILE.attachment_id)}


def test_a_visible_room_is_not_shown_again(work: UnitOfWork) -> None:
    work.changed_room_lists.clear()
    show_again(work, work.rooms[DIRECT], A)
    run(work, SendMessage, A, DIRECT)
    assert work.changed_room_lists == set()
    assert MemberState(ROOM, A, "member", 0, 0, 1, 1).shown_version == 0


def test_a_room_can_be_unmuted(work: UnitOfWork) -> None:
    for muted in (True, False):
        run(work, MuteRoom, A, muted=muted)
        assert work.members[ROOM, A].muted == muted


def test_an_equal_title_changes_nothing(work: UnitOfWork) -> None:
    before = len(work.events)
    run(work, UpdateRoom, A, title="Room")
    assert len(work.events) == before


def test_a_command_without_an_event_is_not_remembered(work: UnitOfWork) -> None:
    run(work, SendMessage, A)
    work.events.extend(work.events[-1:] * 300)
    last = work.events[-1].command_id
    run(work, EditMessage, A, seq=1, body="hi")
    assert (work.events[-1].command_id, work.answered) == (last, {})


def test_a_missing_message_has_no_field() -> None:
    assert error_of("not_found", "seq: missing").errors == {}


def test_a_short_emoji_is_valid() -> None:
    command = ReactToMessage(command_id=new_id(), room_id=ROOM, user_id=A, seq=1, emoji="🦊")
    assert validate(command) == command


@pytest.mark.parametrize(
    ("anchor", "limit", "expected"),
    [
        (Before(15), 4, (11, 14, 14, False)), (Before(16), 4, (12, 15, 15, True)), (Before(8), 4, (11, 7, 7, False)),
        (After(26), 4, (27, 30, 27, False)), (After(25), 4, (26, 29, 26, True)), (After(3), 4, (11, 14, 11, True)),
        (After(30), 4, (31, 30, 31, False)), (After(40), 4, (41, 30, 41, False)),
        (Around(3), 4, (11, 12, 11, True)), (Around(13), 5, (11, 15, 13, True)), (Around(14), 4, (12, 15, 14, True)),
        (Around(28), 5, (26, 30, 28, True)), (Around(28), 4, (26, 29, 28, True)), (Around(50), 4, (28, 30, 30, True)),
        (Around(20), 50, (11, 30, 20, False)), (Around(20), 20, (11, 29, 20, True)),
        (Around(21), 20, (11, 30, 21, False)),
        (Around(22), 20, (12, 30, 22, True)),
        (Offset(0), 20, (11, 30, 30, False)), (Offset(0), 19, (12, 30, 30, True)), (Offset(25), 4, (11, 5, 5, False)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("offset", [0, 1_000])
def test_a_page_of_a_member_who_sees_11_to_30(
    anchor: PageAnchor, limit: int, expected: tuple[int, int, int, bool], offset: int
) -> None:
    """The same page far above: there, two equal numbers are not the same object."""
    moved = anchor if isinstance(anchor, Offset) else type(anchor)(anchor.seq + offset)  # type: ignore[union-attr]
    window = window_of(moved, limit, 10 + offset, 30 + offset)
    first, last, middle, has_more = expected
    assert window.has_more == has_more
    assert (window.first, window.last, window.anchor) == (first + offset, last + offset, middle + offset)


def test_a_page_from_a_time_starts_at_a_visible_message() -> None:
    pages = [window_of(At(1), 4, 10, 30, first_at) for first_at in (3, 10, 11, 12, None)]
    assert [(page.first, page.last) for page in pages[:4]] == [(11, 14), (11, 14), (11, 14), (12, 15)]
    assert pages[4].first > pages[4].last


def test_a_page_starts_right_above_an_odd_floor() -> None:
    for anchor in (Around(3), At(1)):
        assert window_of(anchor, 4, 11, 31, 3).first == 12
    assert window_of(Around(3), 4, 11, 31).last == 13


def test_the_largest_page() -> None:
    assert anchor_of(PageChoice(limit=200)) == anchor_of(PageChoice(limit=1)) == Offset(0)


@pytest.mark.parametrize(("budget", "kept"), [(1, 1), (4, 1), (5, 2), (9, 2), (10, 3), (14, 3), (15, 4)])
def test_the_nearest_items_fill_the_budget(budget: int, kept: int) -> None:
    class Item(msgspec.Struct):
        seq: int

    items = [Item(seq) for seq in (1, 2, 3, 4)]
    assert [item.seq for item in nearest(items, [1, 4, 5, 5], 1, budget)] == [1, 2, 3, 4][:kept]


def test_the_slices_of_one_room_grow_to_its_next_sample() -> None:
    samples = [(0, 90), (1, 80), (2, 70), (4, 60)]
    assert choose_slices([ScanRange(ROOM, 0, 8, samples)], 8) == ([Slice(ROOM, 1, 8)], None)
    slices, end = choose_slices([ScanRange(ROOM, 0, 8, samples)], 7)
    assert slices == [Slice(ROOM, 5, 8)]
    assert end == (60, ROOM, 5)


def message(**fields: Any) -> StoredMessage:
    values: dict[str, Any] = {
        "room_id": ROOM, "seq": 3, "version": 7, "sender_id": A, "client_id": B, "digest": b"", "kind": "text",
        "body": "hi", "at": 5, "edited_at": 5, "deleted": False, "reply_to": None, "attachments": None,
        "mentions": None, "reaction_count": 0,
    }  # fmt: skip
    return StoredMessage(**values | fields)


def test_the_estimated_size_is_a_sum() -> None:
    assert estimated_bytes(message(body="x" * 16)) == 416
    assert estimated_bytes(message(body="x" * 16, attachments=b"y" * 16, reaction_count=1)) == 477


def test_a_page_of_hits_ends_right_before_the_budget() -> None:
    hits = [message(seq=seq) for seq in (4, 3, 2)]
    whole = sum(map(estimated_bytes, hits))
    assert cut_page(hits, None, 9, whole) == (hits, None)
    assert cut_page(hits, None, 9, whole - 1)[0] == hits[:2]


@pytest.mark.parametrize(
    ("event", "columns"),
    [
        (MessageEdited(**HEAD, seq=3, body="hi", edited_at=rfc3339(5), by=A), (3, None, None)),
        (MessageDeleted(**HEAD, seq=3, by=A), (3, None, None)),
        (MessageReacted(**HEAD, seq=3, user_id=A, emoji="x", removed=False), (3, None, b'{"emoji":"x"}')),
        (MessageReacted(**HEAD, seq=3, user_id=A, emoji="x", removed=True), (3, None, b'{"emoji":"x","removed":true}')),
        (MemberJoined(**HEAD, user_id=B, by=A, role="member", read_seq=0), (None, B, b"{}")),
        (MemberJoined(**HEAD, user_id=B, by=A, role="admin", read_seq=2), (None, B, b'{"role":"admin","read_seq":2}')),
        (MemberLeft(**HEAD, user_id=B, by=A), (None, B, None)),
        (MemberRoleChanged(**HEAD, user_id=B, by=A, role="owner"), (None, B, b'{"role":"owner"}')),
        (RoomUpdated(**HEAD, by=A, title="x"), (None, None, b'{"title":"x"}')),
        (RoomUpdated(**HEAD, by=A, pinned_seq=None), (None, None, b'{"pinned_seq":null}')),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_event_is_stored_in_columns_and_restored(event: RoomEvent, columns: tuple[Any, ...]) -> None:
    row = stored_event_of(RecordedEvent(event, 5, A, C))
    op = str(event.__struct_config__.tag)
    assert row == StoredEvent(ROOM, 7, 5, op, columns[0], A, columns[1], C, columns[2])  # type: ignore[arg-type]
    assert event_of(row, message(), {}) == event
