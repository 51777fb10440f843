"""Folding events onto a snapshot of a room, one event at a time."""

from typing import Any

import msgspec
import pytest

from shared.contracts.media import Attachment
from shared.contracts.rooms import Message
from shared.events.rooms import (
    MemberJoined,
    MemberLeft,
    MemberRoleChanged,
    MessageCreated,
    MessageDeleted,
    MessageEdited,
    MessageReacted,
    RoomEvent,
    RoomUpdated,
)
from shared.roomlog.fold import Snapshot, SnapshotMember, fold
from shared.roomlog.keys import live_channel, log_key, page_key
from shared.roomlog.page import PAGE_TTL_S, RECENT_MESSAGES
from shared.roomlog.stream import KEPT_ENTRIES, LOG_TTL_S, StreamRead

AT, LATER = "2026-11-24T07:42:44.123Z", "2026-11-24T07:42:45.123Z"
FILE = Attachment(attachment_id="f", filename="f", content_type="x", size=1, url="/x")
HEAD: dict[str, Any] = {"room_id": "r", "version": 11, "at": LATER}


def message(seq: int, **fields: Any) -> Message:
    values: dict[str, Any] = {
        "room_id": "r", "seq": seq, "version": seq, "sender_id": "b", "client_id": "c", "kind": "text", "body": "hi",
        "at": AT,
    }  # fmt: skip
    return Message(**values | fields)


def snapshot(**fields: Any) -> Snapshot:
    messages = {
        5: message(5, attachments=[FILE], mentions=["a"], reactions={"x": ["a", "c"], "y": ["c"]}),
        6: message(6, deleted=True, body=""),
    }
    members = {"a": SnapshotMember("owner", 6), "b": SnapshotMember("member", 2)}
    return msgspec.structs.replace(Snapshot(10, 5, messages, "Room", 5, members), **fields)


def folded(event: RoomEvent, **fields: Any) -> dict[str, Any]:
    """Return what the event changes."""
    before = snapshot(**fields)
    after = fold(before, [event])
    assert before == snapshot(**fields)
    names = Snapshot.__struct_fields__
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


@pytest.mark.parametrize(("version", "counts"), [(9, False), (10, False), (11, True)])
def test_only_later_events_count(version: int, counts: bool) -> None:
    event = RoomUpdated(room_id="r", version=version, at=AT, by="a", title="New")
    assert folded(event) == ({"version": 11, "title": "New"} if counts else {})


def test_events_are_folded_in_order() -> None:
    events = [RoomUpdated(room_id="r", version=version, at=AT, by="a", title=str(version)) for version in (11, 12, 11)]
    after = fold(snapshot(), events)
    assert (after.version, after.title) == (12, "12")


@pytest.mark.parametrize(("seq", "kept"), [(4, False), (5, True), (7, True)])
def test_a_message_from_the_first_seq_on_is_added(seq: int, kept: bool) -> None:
    event = MessageCreated(**HEAD, seq=seq, sender_id="x", client_id="c", kind="text", body="new")
    after = fold(snapshot(), [event])
    new = message(seq, version=11, sender_id="x", body="new", at=LATER)
    assert after.messages == snapshot().messages | ({seq: new} if kept else {})
    assert after.members == snapshot().members  # the sender has left


def test_sending_reads_up_to_the_message_but_never_back() -> None:
    event = MessageCreated(**HEAD, seq=7, sender_id="b", client_id="c", kind="text", body="new")
    assert fold(snapshot(), [event]).members["b"] == SnapshotMember("member", 7)
    members = {"b": SnapshotMember("member", 9)}
    assert fold(snapshot(members=members), [event]).members == members


def test_members_join_leave_and_get_roles() -> None:
    members = snapshot().members
    head = HEAD | {"by": "a"}
    assert folded(MemberJoined(**head, user_id="c", role="admin", read_seq=3)) == {
        "version": 11, "members": members | {"c": SnapshotMember("admin", 3)},
    }  # fmt: skip
    assert folded(MemberLeft(**head, user_id="b")) == {"version": 11, "members": {"a": members["a"]}}
    assert folded(MemberRoleChanged(**head, user_id="b", role="admin")) == {
        "version": 11, "members": members | {"b": SnapshotMember("admin", 2)},
    }  # fmt: skip
    assert folded(MemberLeft(**head, user_id="c")) == {"version": 11}
    assert folded(MemberRoleChanged(**head, user_id="c", role="admin")) == {"version": 11}


def test_an_update_changes_only_what_it_names() -> None:
    head = HEAD | {"by": "a"}
    assert folded(RoomUpdated(**head, title="New")) == {"version": 11, "title": "New"}
    assert folded(RoomUpdated(**head, pinned_seq=6)) == {"version": 11, "pinned_seq": 6}
    assert folded(RoomUpdated(**head, pinned_seq=None)) == {"version": 11, "pinned_seq": None}


def change(event: RoomEvent) -> Message:
    after = fold(snapshot(), [event])
    assert after.messages.keys() == {5, 6}
    assert after.messages[6] == snapshot().messages[6]
    return after.messages[5]


def test_an_edit_changes_the_text() -> None:
    before = snapshot().messages[5]
    event = MessageEdited(**HEAD, seq=5, body="new", edited_at=LATER, by="b")
    assert change(event) == msgspec.structs.replace(before, body="new", edited_at=LATER)


def test_a_deletion_removes_the_content() -> None:
    assert change(MessageDeleted(**HEAD, seq=5, by="a")) == message(5, body="", deleted=True)


@pytest.mark.parametrize(
    ("emoji", "user_id", "removed", "reactions"),
    [
        ("x", "b", False, {"x": ["a", "c", "b"], "y": ["c"]}),
        ("x", "a", False, {"x": ["c", "a"], "y": ["c"]}),
        ("x", "a", True, {"x": ["c"], "y": ["c"]}),
        ("x", "b", True, {"x": ["a", "c"], "y": ["c"]}),
        ("y", "c", True, {"x": ["a", "c"]}),
        ("z", "a", False, {"x": ["a", "c"], "y": ["c"], "z": ["a"]}),
        ("a", "b", False, {"x": ["a", "c"], "y": ["c"], "a": ["b"]}),
        ("z", "a", True, {"x": ["a", "c"], "y": ["c"]}),
    ],
)
def test_a_reaction_is_added_or_removed_once(
    emoji: str, user_id: str, removed: bool, reactions: dict[str, list[str]]
) -> None:
    event = MessageReacted(**HEAD, seq=5, user_id=user_id, emoji=emoji, removed=removed)
    assert change(event).reactions == reactions


def test_a_deleted_and_an_unknown_message_stay_as_they_are() -> None:
    for seq in (4, 6, 7):
        assert folded(MessageEdited(**HEAD, seq=seq, body="new", edited_at=LATER, by="b")) == {"version": 11}
        assert folded(MessageReacted(**HEAD, seq=seq, user_id="a", emoji="x", removed=False)) == {"version": 11}
        assert folded(MessageDeleted(**HEAD, seq=seq, by="b")) == {"version": 11}


def test_a_stream_reaches_a_version_by_its_frames_or_its_head() -> None:
    assert StreamRead(1_000, []).reaches(int("1000"))
    assert StreamRead(1_000, [b"frame"]).reaches(7)
    assert [StreamRead(1_000, []).reaches(version) for version in (999, 1_001)] == [False, False]


def test_the_keys_of_a_room_share_its_hash_tag() -> None:
    assert log_key("e", "r") == "room:{r}:e:log"
    assert live_channel("e", "r") == "room:{r}:e:live"
    assert page_key("e", "r") == "room:{r}:e:page"


def test_redis_keeps_the_log_for_a_day_and_the_page_for_an_hour() -> None:
    assert (KEPT_ENTRIES, LOG_TTL_S, RECENT_MESSAGES, PAGE_TTL_S) == (512, 86_400, 100, 3_600)
