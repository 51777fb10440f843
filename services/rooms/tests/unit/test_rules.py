"""The rules of the domain, one by one, on a room in memory: who may do what, and what it changes."""

from typing import Any

import msgspec
import pytest

from rooms.domain import messages as message_rules
from rooms.domain.creation import check_direct, create_direct, create_group, show_again
from rooms.domain.decide import decide
from rooms.domain.membership import MAX_MEMBERS, MAX_ROOMS_PER_USER
from rooms.domain.messages import MAX_DIFFERENT_EMOJI, MAX_REACTIONS
from rooms.domain.search import SearchCursor, cursor_at, cut_page
from rooms.domain.state import MemberState, StoredMessage, estimated_bytes
from rooms.domain.unit_of_work import UnitOfWork
from shared.contracts.media import Attachment
from shared.contracts.rooms import (
    Accepted,
    AnyCommand,
    DeleteMessage,
    EditMessage,
    InviteMembers,
    LeaveRoom,
    MuteRoom,
    ReactToMessage,
    ReadRoom,
    Rejected,
    RemoveMember,
    SendMessage,
    SetRole,
    UpdateRoom,
)
from shared.errors import DomainError
from shared.events.rooms import MemberLeft, MemberRoleChanged, MessageDeleted, MessageEdited, RoomEvent, RoomUpdated
from shared.ids import new_id

# The IDs rise, so that a rule that compares them by order instead of by equality shows.
LOW, A, B, C, D, HIGH = (f"0198c0de-0000-7000-8000-00000000000{number}" for number in range(6))
GROUP, DIRECT = new_id(), new_id()
FILE, OTHER = (Attachment(attachment_id=new_id(), filename="f", content_type="x", size=1, url="/x") for _ in range(2))


class Room:
    """A group of A (owner), B (admin), C and D, and the direct room of A and B, on one unit of work."""

    def __init__(self) -> None:
        self.work = UnitOfWork(now=1_000, open_accounts=frozenset([LOW, A, B, C, D, HIGH]))
        create_group(self.work, GROUP, A, "Room", [B, C, D])
        create_direct(self.work, DIRECT, A, B)
        self.ok(SetRole, A, target_id=B, role="admin")

    def decide(self, kind: type[AnyCommand], user_id: str, room_id: str = GROUP, **fields: Any) -> Accepted | Rejected:
        if kind is SendMessage:
            fields = {"client_id": new_id(), "body": "hi"} | fields
        command: AnyCommand = kind(command_id=new_id(), room_id=room_id, user_id=user_id, **fields)
        return decide(self.work, command)

    def ok(self, kind: type[AnyCommand], user_id: str, room_id: str = GROUP, **fields: Any) -> Accepted:
        result = self.decide(kind, user_id, room_id, **fields)
        assert isinstance(result, Accepted), result
        return result

    def code(self, kind: type[AnyCommand], user_id: str, room_id: str = GROUP, **fields: Any) -> str:
        before = len(self.work.events)
        result = self.decide(kind, user_id, room_id, **fields)
        assert isinstance(result, Rejected), result
        assert len(self.work.events) == before
        return result.code

    def event(self) -> RoomEvent:
        return self.work.events[-1].event

    def message(self, seq: int, room_id: str = GROUP) -> StoredMessage:
        return self.work.messages[room_id, seq]

    def member(self, user_id: str, room_id: str = GROUP) -> MemberState:
        return self.work.members[room_id, user_id]


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.mark.parametrize(("user_id", "code"), [(LOW, "not_found"), (HIGH, "not_found")])
def test_non_members_can_do_nothing(room: Room, user_id: str, code: str) -> None:
    room.ok(SendMessage, A)
    for kind, fields in (
        (SendMessage, {}), (EditMessage, {"seq": 1, "body": "x"}), (DeleteMessage, {"seq": 1}),
        (ReactToMessage, {"seq": 1, "emoji": "a"}), (ReadRoom, {"seq": 1}), (InviteMembers, {"user_ids": [LOW]}),
        (LeaveRoom, {}), (RemoveMember, {"target_id": A}), (SetRole, {"target_id": A, "role": "member"}),
        (UpdateRoom, {"title": "x"}), (MuteRoom, {"muted": True}),
    ):  # fmt: skip
        assert room.code(kind, user_id, **fields) == code


@pytest.mark.parametrize("sender", [B, C])
def test_only_the_sender_edits_a_message(room: Room, sender: str) -> None:
    room.ok(SendMessage, sender, body="m")
    for other in (A, D):
        assert room.code(EditMessage, other, seq=1, body="x") == "forbidden"
    for body in ("a", "z"):
        room.ok(EditMessage, sender, seq=1, body=body)
        assert isinstance(room.event(), MessageEdited)
        assert (room.event().body, room.message(1).body, room.message(1).edited_at) == (body, body, 1_000)
    before = len(room.work.events)
    room.ok(EditMessage, sender, seq=1, body="z")
    assert len(room.work.events) == before
    assert room.code(EditMessage, sender, seq=1, body="") == "invalid"


def test_a_message_with_files_may_lose_its_text(room: Room) -> None:
    room.ok(SendMessage, A, attachments=[FILE])
    room.ok(EditMessage, A, seq=1, body="")
    assert room.message(1).body == ""


@pytest.mark.parametrize(
    ("user_id", "allowed"), [(A, True), (B, True), (C, True), (D, False)], ids=["owner", "admin", "sender", "member"]
)
def test_the_sender_and_admins_delete_a_message(room: Room, user_id: str, allowed: bool) -> None:
    room.ok(SendMessage, C)
    if not allowed:
        assert room.code(DeleteMessage, user_id, seq=1) == "forbidden"
        return
    room.ok(DeleteMessage, user_id, seq=1)
    assert isinstance(room.event(), MessageDeleted)
    assert (room.message(1).deleted, room.message(1).body) == (True, "")
    before = len(room.work.events)
    room.ok(DeleteMessage, A, seq=1)
    assert len(room.work.events) == before
    assert room.code(EditMessage, C, seq=1, body="x") == "conflict"
    assert room.code(ReactToMessage, C, seq=1, emoji="a") == "conflict"


def test_reactions_are_counted_and_repeats_change_nothing(room: Room) -> None:
    room.ok(SendMessage, A)
    for user_id in (A, B):
        room.ok(ReactToMessage, user_id, seq=1, emoji="a")
        events = len(room.work.events)
        room.ok(ReactToMessage, user_id, seq=1, emoji="a")
        assert len(room.work.events) == events
    version = room.event().version
    assert (room.message(1).reaction_count, room.work.emoji_counts[GROUP, 1]) == (2, {"a": 2})
    assert room.work.new_reactions[GROUP, 1, "a", B] == version
    room.ok(ReactToMessage, A, seq=1, emoji="a", remove=True)
    assert (room.message(1).reaction_count, room.work.emoji_counts[GROUP, 1]) == (1, {"a": 1})
    assert room.work.new_reactions[GROUP, 1, "a", A] is None
    room.ok(ReactToMessage, B, seq=1, emoji="a", remove=True)
    assert (room.message(1).reaction_count, room.work.emoji_counts[GROUP, 1]) == (0, {})
    room.ok(ReactToMessage, B, seq=1, emoji="b")
    room.ok(DeleteMessage, A, seq=1)
    assert room.message(1).reaction_count == 0
    assert room.work.cleared_reactions == {(GROUP, 1)}
    before = len(room.work.events)
    room.ok(ReactToMessage, B, seq=1, emoji="b", remove=True)
    assert len(room.work.events) == before


def test_reactions_have_limits(room: Room) -> None:
    room.ok(SendMessage, A)
    for number in range(MAX_DIFFERENT_EMOJI):
        room.ok(ReactToMessage, A, seq=1, emoji=f"e{number}")
    assert room.code(ReactToMessage, A, seq=1, emoji="one more") == "conflict"
    room.ok(ReactToMessage, B, seq=1, emoji="e0")
    room.message(1).reaction_count = MAX_REACTIONS - 1
    room.ok(ReactToMessage, C, seq=1, emoji="e0")
    assert room.code(ReactToMessage, D, seq=1, emoji="e0") == "conflict"
    room.ok(ReactToMessage, C, seq=1, emoji="e0", remove=True)


@pytest.mark.parametrize(("seq", "allowed"), [(0, False), (1, False), (2, True), (3, True), (4, False)])
def test_a_member_sees_only_messages_from_after_joining(room: Room, seq: int, allowed: bool) -> None:
    room.ok(SendMessage, A)
    room.ok(InviteMembers, A, user_ids=[LOW])
    room.ok(SendMessage, A)
    room.ok(SendMessage, A)
    room.ok(SetRole, A, target_id=LOW, role="admin")
    assert (room.member(LOW).joined_seq, room.member(LOW).read_seq) == (1, 1)
    for kind, fields, code in (
        (SendMessage, {"reply_to": seq}, "invalid"), (UpdateRoom, {"pinned_seq": seq}, "not_found"),
        (ReactToMessage, {"seq": seq, "emoji": "a"}, "not_found"), (DeleteMessage, {"seq": seq}, "not_found"),
    ):  # fmt: skip
        if kind is SendMessage and allowed:
            continue  # it would add a message
        if allowed:
            room.ok(kind, LOW, **fields)
        else:
            assert room.code(kind, LOW, **fields) == code


def test_references_to_attachments(room: Room) -> None:
    room.ok(SendMessage, A, attachments=[FILE, OTHER])
    room.ok(SendMessage, A, attachments=[FILE, FILE])
    key, other = (GROUP, FILE.attachment_id), (GROUP, OTHER.attachment_id)
    assert (room.work.references[key], room.work.references[other]) == (2, 1)
    assert room.work.new_references == {(*key, 1), (*other, 1), (*key, 2)}
    room.ok(DeleteMessage, A, seq=1)
    assert (room.work.references[key], room.work.references[other], room.work.unreferenced) == (1, None, {other})
    assert (room.work.new_references, room.work.removed_references) == ({(*key, 2)}, set())
    room.work.new_references.clear()  # as if stored before
    room.ok(DeleteMessage, A, seq=2)
    assert (room.work.references[key], room.work.unreferenced) == (None, {key, other})
    assert room.work.removed_references == {(*key, 2)}
    assert room.code(SendMessage, A, attachments=[FILE]) == "not_found"


def test_blocked_people_cannot_write_in_the_direct_room_only(room: Room) -> None:
    room.ok(SendMessage, A, DIRECT)
    room.work.blocked.add((B, A))
    assert room.code(SendMessage, A, DIRECT) == "forbidden"
    assert room.code(EditMessage, A, DIRECT, seq=1, body="x") == "forbidden"
    room.ok(EditMessage, A, DIRECT, seq=1, body="hi")
    assert room.code(ReactToMessage, A, DIRECT, seq=1, emoji="👍") == "forbidden"
    assert room.code(UpdateRoom, A, DIRECT, pinned_seq=1) == "forbidden"
    room.ok(ReactToMessage, B, DIRECT, seq=1, emoji="👍")
    room.ok(DeleteMessage, A, DIRECT, seq=1)
    room.ok(SendMessage, B, DIRECT)
    room.ok(SendMessage, A)
    room.work.blocked.add((LOW, A))
    assert room.code(InviteMembers, A, user_ids=[LOW]) == "forbidden"


def test_blocked_people_cannot_take_a_reaction_back(room: Room) -> None:
    room.ok(SendMessage, B, DIRECT)
    reaction = {"seq": 1, "emoji": "👍"}
    room.ok(ReactToMessage, A, DIRECT, **reaction)
    room.work.blocked.add((B, A))
    events = len(room.work.events)
    room.ok(ReactToMessage, A, DIRECT, **reaction)  # what already holds
    assert room.code(ReactToMessage, A, DIRECT, remove=True, **reaction) == "forbidden"
    assert len(room.work.events) == events


def test_the_reading_of_a_silenced_member_is_not_published(room: Room) -> None:
    room.ok(SendMessage, B, DIRECT)
    room.work.members[DIRECT, A].silenced = True
    assert room.ok(ReadRoom, A, DIRECT, seq=1).read_seq == 1
    assert room.work.read_cursors == {}


def test_a_new_direct_room_silences_whom_its_creator_has_blocked(room: Room) -> None:
    room.work.blocked.add((LOW, HIGH))
    direct = create_direct(room.work, new_id(), LOW, HIGH)
    silenced = {user: room.work.members[direct.id, user].silenced for user in direct.pair}
    assert silenced == {LOW: False, HIGH: True}


def test_invitations(room: Room) -> None:
    for user_id in (A, D):
        room.ok(InviteMembers, user_id, user_ids=[user_id, B, LOW if user_id == A else HIGH])
    assert room.work.rooms[GROUP].member_count == 6
    assert (room.work.room_counts[LOW], room.work.room_counts[A], room.member(LOW).role) == (1, 2, "member")
    assert LOW in room.work.changed_room_lists
    assert room.code(InviteMembers, A, DIRECT, user_ids=[LOW]) == "conflict"
    assert room.code(InviteMembers, A, user_ids=[new_id()]) == "not_found"
    room.ok(LeaveRoom, LOW)
    room.work.closed.add(LOW)
    assert room.code(InviteMembers, A, user_ids=[LOW]) == "not_found"


def test_invitations_have_limits(room: Room) -> None:
    room.work.room_counts[LOW] = MAX_ROOMS_PER_USER
    assert room.code(InviteMembers, A, user_ids=[LOW]) == "conflict"
    room.work.room_counts[LOW] = MAX_ROOMS_PER_USER - 1
    room.work.rooms[GROUP].member_count = MAX_MEMBERS
    assert room.code(InviteMembers, A, user_ids=[LOW]) == "conflict"
    room.work.rooms[GROUP].member_count = MAX_MEMBERS - 1
    room.ok(InviteMembers, A, user_ids=[LOW])


def test_only_those_who_may_remove_members_invite_a_removed_one_again(room: Room) -> None:
    room.ok(RemoveMember, B, target_id=C)
    assert room.code(InviteMembers, D, user_ids=[C]) == "member_removed"
    assert room.code(InviteMembers, D, user_ids=[LOW, C]) == "member_removed"
    assert room.ok(InviteMembers, D, user_ids=[LOW]), "others are invited by all members"
    for who in (A, B):
        room.ok(InviteMembers, who, user_ids=[C])
        assert room.member(C).is_current
        room.ok(RemoveMember, A, target_id=C)
    room.ok(InviteMembers, A, user_ids=[C])
    room.ok(LeaveRoom, C)
    room.ok(InviteMembers, D, user_ids=[C])
    assert room.member(C).is_current, "who left by themselves after their return is invited by all members"


def test_a_removed_admin_returns_as_a_member(room: Room) -> None:
    room.ok(RemoveMember, A, target_id=B)
    assert room.code(InviteMembers, C, user_ids=[B]) == "member_removed"
    room.ok(InviteMembers, A, user_ids=[B])
    assert room.member(B).role == "member"


def test_without_an_answer_of_auth_nobody_is_invited(room: Room) -> None:
    room.work.open_accounts = None
    assert room.code(InviteMembers, A, user_ids=[LOW]) == "unavailable"


@pytest.mark.parametrize(
    ("user_id", "target", "code"),
    [
        (A, B, ""), (A, C, ""), (B, C, ""),
        (B, A, "forbidden"), (C, D, "forbidden"), (C, A, "forbidden"), (A, LOW, "not_found"),
    ],
)  # fmt: skip
def test_who_removes_whom(room: Room, user_id: str, target: str, code: str) -> None:
    if code:
        assert room.code(RemoveMember, user_id, target_id=target) == code
        return
    room.ok(RemoveMember, user_id, target_id=target)
    assert isinstance(room.event(), MemberLeft)
    assert (room.event().user_id, room.event().by, room.member(target).removed) == (target, user_id, True)
    assert (room.work.rooms[GROUP].member_count, room.work.room_counts.get(target)) == (3, 1 if target == B else 0)
    before = len(room.work.events)
    room.ok(RemoveMember, A, target_id=target)
    assert len(room.work.events) == before
    assert room.code(LeaveRoom, target) == "not_found"


def test_an_admin_does_not_remove_an_admin(room: Room) -> None:
    room.ok(SetRole, A, target_id=C, role="admin")
    assert room.code(RemoveMember, B, target_id=C) == "forbidden"
    assert room.code(RemoveMember, A, DIRECT, target_id=B) == "conflict"


def test_whoever_leaves_is_succeeded_by_an_admin_then_by_the_first_member(room: Room) -> None:
    room.ok(RemoveMember, A, target_id=A)
    assert (room.member(A).removed, room.member(A).is_current, room.member(B).role) == (False, False, "owner")
    assert room.work.rooms[GROUP].member_count == 3
    room.ok(LeaveRoom, B)
    assert room.member(C).role == "owner"
    room.ok(LeaveRoom, B)  # left already
    room.ok(LeaveRoom, D)
    assert room.member(C).role == "owner"
    room.ok(LeaveRoom, C)
    assert room.work.rooms[GROUP].member_count == 0


def test_a_direct_room_is_hidden_and_shown_again(room: Room) -> None:
    room.work.changed_room_lists.clear()
    before = len(room.work.events)
    room.ok(LeaveRoom, A, DIRECT)
    member = room.member(A, DIRECT)
    assert (member.hidden, member.is_current, len(room.work.events)) == (True, True, before)
    assert room.work.changed_room_lists == {A}
    room.work.changed_room_lists.clear()
    room.ok(LeaveRoom, A, DIRECT)
    assert room.work.changed_room_lists == set()
    sent = room.ok(SendMessage, B, DIRECT)
    assert (room.member(A, DIRECT).hidden, room.member(A, DIRECT).shown_version) == (False, sent.version)
    room.ok(LeaveRoom, B, DIRECT)
    show_again(room.work, room.work.rooms[DIRECT], B)
    assert not room.member(B, DIRECT).hidden


def test_roles(room: Room) -> None:
    for user_id in (B, C):
        assert room.code(SetRole, user_id, target_id=D, role="admin") == "forbidden"
    assert room.code(SetRole, A, target_id=LOW, role="admin") == "not_found"
    assert room.code(SetRole, A, target_id=A, role="member") == "conflict"
    assert room.code(SetRole, A, DIRECT, target_id=B, role="admin") == "conflict"
    before = len(room.work.events)
    room.ok(SetRole, A, target_id=B, role="admin")
    assert len(room.work.events) == before
    room.ok(RemoveMember, A, target_id=D)
    assert room.code(SetRole, A, target_id=D, role="admin") == "not_found"
    room.ok(SetRole, A, target_id=C, role="owner")
    assert [room.member(user_id).role for user_id in (A, B, C)] == ["admin", "admin", "owner"]
    assert isinstance(room.event(), MemberRoleChanged)
    assert (room.event().user_id, room.event().role, room.event().by) == (A, "admin", A)


@pytest.mark.parametrize(("user_id", "allowed"), [(A, True), (B, True), (C, False)])
def test_the_owner_and_admins_change_a_group(room: Room, user_id: str, allowed: bool) -> None:
    room.ok(SendMessage, A)
    if not allowed:
        assert room.code(UpdateRoom, user_id, title="x") == "forbidden"
        assert room.code(UpdateRoom, user_id, pinned_seq=1) == "forbidden"
        return
    room.ok(UpdateRoom, user_id, title="Zoo", pinned_seq=1)
    assert (room.work.rooms[GROUP].title, room.work.rooms[GROUP].pinned_seq) == ("Zoo", 1)
    assert isinstance(room.event(), RoomUpdated)
    before = len(room.work.events)
    room.ok(UpdateRoom, user_id, title="Zoo")
    assert len(room.work.events) == before
    room.ok(UpdateRoom, user_id, title="Aviary", pinned_seq=1)
    assert (room.event().title, room.event().pinned_seq) == ("Aviary", msgspec.UNSET)
    room.ok(UpdateRoom, user_id, pinned_seq=None)
    assert (room.work.rooms[GROUP].pinned_seq, room.event().title) == (None, msgspec.UNSET)


def test_both_pin_in_a_direct_room_and_nobody_names_it(room: Room) -> None:
    room.ok(SendMessage, A, DIRECT)
    for user_id in (A, B):
        room.ok(UpdateRoom, user_id, DIRECT, pinned_seq=1)
        assert room.code(UpdateRoom, user_id, DIRECT, title="x") == "conflict"


def test_a_read_cursor_moves_forward_only_and_not_beyond_the_last_message(room: Room) -> None:
    for _ in range(3):
        room.ok(SendMessage, A)
    room.work.read_cursors.clear()
    assert room.ok(ReadRoom, B, seq=2).read_seq == 2
    assert room.work.read_cursors == {GROUP: {B: 2}}
    room.work.read_cursors.clear()
    for seq in (1, 2):
        assert room.ok(ReadRoom, B, seq=seq).read_seq == 2
    assert room.work.read_cursors == {}
    assert room.ok(ReadRoom, B, seq=9).read_seq == 3
    assert room.member(A).read_seq == 3  # sending reads


def test_muting_is_personal(room: Room) -> None:
    room.work.changed_room_lists.clear()
    room.ok(MuteRoom, A, muted=False)
    assert room.work.changed_room_lists == set()
    room.ok(MuteRoom, A, muted=True)
    assert (room.member(A).muted, room.member(B).muted, room.work.changed_room_lists) == (True, False, {A})


def test_mentions_name_members_once(room: Room) -> None:
    room.ok(SendMessage, A, mentions=[B, LOW, B, C])
    assert msgspec.json.decode(room.message(1).mentions) == [B, C]
    room.ok(SendMessage, A)
    assert room.message(2).mentions is None


def test_a_group_names_its_creator_once() -> None:
    for creator in (LOW, HIGH):
        work = UnitOfWork(now=1, open_accounts=frozenset([LOW, A, HIGH]))
        create_group(work, GROUP, creator, "x", [A, creator, A])
        assert [key[1] for key in work.members] == [creator, A]
        assert (work.rooms[GROUP].member_count, work.members[GROUP, creator].role) == (2, "owner")


@pytest.mark.parametrize("other", [LOW, HIGH])
def test_a_direct_room_has_two_people(other: str) -> None:
    work = UnitOfWork(now=1, open_accounts=frozenset([LOW, A, HIGH]))
    check_direct(work, A, other)
    with pytest.raises(DomainError, match="your own"):
        check_direct(work, A, A)
    work.blocked.add((other, A))
    with pytest.raises(DomainError):
        check_direct(work, A, other)


def test_a_page_of_search_hits_ends_where_the_scan_ended(room: Room) -> None:
    for _ in range(4):
        room.ok(SendMessage, A)
    hits = [room.message(seq) for seq in (4, 3, 2, 1)]
    everything = sum(map(estimated_bytes, hits))
    end = SearchCursor(1_000, GROUP, 2)
    assert cut_page(hits, None, 9, everything) == (hits, None)
    assert cut_page(hits, end, 9, everything) == (hits[:3], end)
    assert cut_page(hits, None, 2, everything) == (hits[:2], cursor_at(hits[1]))
    assert cut_page(hits, None, 9, estimated_bytes(hits[0]) * 2) == (hits[:2], cursor_at(hits[1]))
    assert cut_page(hits, None, 9, 0) == (hits[:1], cursor_at(hits[0]))
    assert cut_page([], end, 9, 1) == ([], end)


def test_a_repeat_gets_the_first_answer(room: Room) -> None:
    fields = {"client_id": new_id(), "body": "once"}
    first = room.ok(SendMessage, A, **fields)
    again = room.ok(SendMessage, A, **fields)
    assert (again.seq, again.version, again.at, again.duplicate) == (first.seq, first.version, first.at, True)
    assert room.code(SendMessage, A, **fields | {"body": "twice"}) == "conflict"
    room.ok(SendMessage, B, **fields)  # another person's id
    assert message_rules.digest_of(
        SendMessage(command_id="", room_id=GROUP, user_id=A, mentions=[B], **fields)
    ) != message_rules.digest_of(SendMessage(command_id="", room_id=GROUP, user_id=A, mentions=[C], **fields))
