"""The rules of the domain, without a database or a clock."""

import pickle

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from rooms.domain.creation import create_direct, create_group
from rooms.domain.decide import decide
from rooms.domain.messages import digest_of
from rooms.domain.read_set import read_set_of
from rooms.domain.serializers import message_of
from rooms.domain.state import attachments_of, direct_key, mentions_of
from rooms.domain.stored_events import StoredEvent, event_of, stored_event_of
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
from shared.events.rooms import MessageCreated
from shared.ids import new_id
from shared.roomlog.fold import Snapshot, fold

A, B, C, D, STRANGER = (new_id() for _ in range(5))
GROUP, DIRECT = new_id(), new_id()
PEOPLE = [A, B, C, D, STRANGER]
IDS = [new_id() for _ in range(3)]
FILE = Attachment(attachment_id=new_id(), filename="f", content_type="text/plain", size=1, url="/x")


def new_work() -> UnitOfWork:
    """Return a group of A (owner), B and C, and the direct room of A and C. C and D have blocked A."""
    work = UnitOfWork(now=1_000, open_accounts=frozenset(PEOPLE) - {STRANGER})
    create_group(work, GROUP, A, "Room", [B, C])
    create_direct(work, DIRECT, A, C)
    work.blocked = {(D, A), (C, A)}
    return work


seqs, people, ids = st.integers(1, 4), st.sampled_from(PEOPLE), st.sampled_from(IDS)
base = {
    "room_id": st.sampled_from([GROUP, GROUP, GROUP, DIRECT, new_id()]),
    "user_id": people,
    "command_id": st.uuids().map(str),
}
commands: st.SearchStrategy[AnyCommand] = st.one_of(
    st.builds(
        SendMessage, **base, client_id=ids, body=st.sampled_from(["x", "y"]), reply_to=st.none() | seqs,
        mentions=st.lists(people, max_size=2), attachments=st.lists(st.just(FILE), max_size=1),
    ),
    st.builds(EditMessage, **base, seq=seqs, body=st.sampled_from(["", "x", "y"])),
    st.builds(DeleteMessage, **base, seq=seqs),
    st.builds(ReactToMessage, **base, seq=seqs, emoji=st.sampled_from("ab"), remove=st.booleans()),
    st.builds(ReadRoom, **base, seq=seqs),
    st.builds(InviteMembers, **base, user_ids=st.lists(people, max_size=3)),
    st.builds(LeaveRoom, **base),
    st.builds(RemoveMember, **base, target_id=people),
    st.builds(SetRole, **base, target_id=people, role=st.sampled_from(["owner", "admin", "member"])),
    st.builds(
        UpdateRoom, **base, title=st.sampled_from(["a", "b", msgspec.UNSET]), pinned_seq=st.sampled_from([None, 1, 2])
    ),
    st.builds(MuteRoom, **base, muted=st.booleans()),
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(commands, max_size=25))
def test_rules_keep_counters_and_events_consistent(batch: list[AnyCommand]) -> None:
    work = new_work()
    for command in batch:
        before = pickle.dumps(work)
        events = len(work.events)
        result = decide(work, command)
        after = pickle.dumps(work)
        if isinstance(result, Rejected):
            assert pickle.loads(after) == pickle.loads(before)
            continue
        room = work.rooms[command.room_id]
        assert result.version <= room.head_version
        again = decide(pickle.loads(after), command)
        if len(work.events) > events or isinstance(command, SendMessage):
            assert isinstance(again, Accepted)
            assert (again.version, again.seq, again.at) == (result.version, result.seq, result.at)
    check_consistency(work)


def check_consistency(work: UnitOfWork) -> None:
    for room in work.rooms.values():
        events = [recorded.event for recorded in work.events if recorded.event.room_id == room.id]
        assert [event.version for event in events] == list(range(1, room.head_version + 1))
        created = [event.seq for event in events if isinstance(event, MessageCreated)]
        assert created == list(range(1, room.head_seq + 1))
        present = {key[1]: member for key, member in work.members.items() if key[0] == room.id and member.is_current}
        assert room.member_count == len(present)
        if room.kind == "group" and present:
            assert [member.role for member in present.values()].count("owner") == 1
        if room.kind == "direct":
            assert len(present) == 2
        folded = fold(Snapshot(0, 1, {}), events)
        assert {user: member.role for user, member in folded.members.items()} == {
            user: member.role for user, member in present.items()
        }
        assert set(folded.messages) == {seq for room_id, seq in work.messages if room_id == room.id}


@given(st.lists(commands, max_size=25))
def test_events_are_restored_from_rows(batch: list[AnyCommand]) -> None:
    work = new_work()
    for command in batch:
        decide(work, command)
    for recorded in work.events:
        row = stored_event_of(recorded)
        message = work.messages.get((row.room_id, row.seq or 0))
        shown = event_of(msgspec.convert(msgspec.to_builtins(row), StoredEvent), message, {})
        assert type(shown) is type(recorded.event)
        if not isinstance(recorded.event, MessageCreated) and recorded.event.__struct_config__.tag != "message.edited":
            assert shown == recorded.event
        elif message is not None:
            assert shown.body == message.body  # type: ignore[union-attr]


def test_the_last_event_of_a_command_has_its_id() -> None:
    work = new_work()
    command = SetRole(command_id=IDS[0], room_id=GROUP, user_id=A, target_id=B, role="owner")
    done = decide(work, command)
    assert isinstance(done, Accepted)
    assert [recorded.command_id for recorded in work.events[-2:]] == [None, IDS[0]]
    assert work.events[-1].event.version == done.version


def test_stored_messages_equal_sent_messages() -> None:
    work = new_work()
    decide(work, SendMessage(
        command_id="", room_id=GROUP, user_id=A, client_id=IDS[0], body="", attachments=[FILE], mentions=[C, STRANGER]
    ))  # fmt: skip
    message = work.messages[GROUP, 1]
    assert attachments_of(message) == [FILE]
    assert mentions_of(message) == [C]
    assert msgspec.convert(work.events[-1].event, type(message_of(message)), from_attributes=True) == message_of(
        message
    )


def test_direct_keys_ignore_the_order_of_members() -> None:
    assert direct_key(A, B) == direct_key(B, A) != direct_key(A, C)
    work = new_work()
    assert work.rooms[DIRECT].peer_of(A) == C
    assert work.rooms[DIRECT].peer_of(C) == A
    assert work.rooms[GROUP].pair == ()


@given(st.lists(commands, max_size=20))
def test_read_commands_lock_no_room(batch: list[AnyCommand]) -> None:
    read_set = read_set_of(batch)
    assert not read_set.locked_rooms & read_set.unlocked_rooms
    assert read_set.locked_rooms | read_set.unlocked_rooms == {command.room_id for command in batch}
    assert {(command.room_id, command.user_id) for command in batch} <= read_set.members


def test_a_later_field_of_messages_is_in_the_digest_only_if_it_is_set() -> None:
    class WithMood(SendMessage, tag="with.mood", kw_only=True):
        mood: str = ""

    fields = {"command_id": "", "room_id": GROUP, "user_id": A, "client_id": IDS[0], "body": "hi"}
    assert digest_of(WithMood(**fields)) == digest_of(SendMessage(**fields))
    assert digest_of(WithMood(**fields, mood="calm")) != digest_of(SendMessage(**fields))
