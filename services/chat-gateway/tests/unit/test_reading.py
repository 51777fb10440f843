"""Pages and snapshots without cached pages in Redis: sources, visibility and errors."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_gateway.driver.reading import _page_of
from shared.contracts.rooms import (
    DEFAULT_PAGE,
    MAX_INTEGER,
    Message,
    MessagesRequest,
    PageChoice,
    ReadRoom,
    Rejected,
    RoomListPageRequest,
)
from shared.errors import Invalid, Unavailable
from shared.roomlog.fold import Snapshot
from shared.roomlog.keys import live_channel
from shared.roomlog.page import RECENT_MESSAGES
from shared.testing.fixtures import eventually

from ..edge import Edge, Person  # noqa: TID252 - the tests of one service


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    it = Edge()
    async with it.running():
        yield it


async def bodies(person: Person, room_id: str, **choice: Any) -> list[str]:
    reply = await person.ask("message.list", room_id=room_id, **choice)
    assert reply["op"] == "ok", reply
    return [message["body"] for message in reply["messages"]]


# The list of rooms, and entering one


async def test_the_list_has_rooms_and_friends_and_how_to_go_on(edge: Edge):
    room_ids = [edge.rooms.create("minji") for _ in range(3)]
    edge.social.follow("minji", "junho")
    minji = await edge.live("minji")
    reply = await minji.ask("home.list", limit=2)
    assert [room["room_id"] for room in reply["rooms"]] == room_ids[:2]
    assert ([friend["user_id"] for friend in reply["friends"]], reply["next"]) == (["junho"], "more")
    assert (await minji.ask("home.list", before="more"))["next"] is None
    assert edge.rooms.of("home-page") == [
        RoomListPageRequest(user_id="minji", before=None, limit=2),
        RoomListPageRequest(user_id="minji", before="more", limit=200),
    ]


async def test_entering_marks_the_room_read_before_it_is_shown(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    edge.rooms.say(room_id, "junho", "hello")
    minji = await edge.live("minji")
    reply = await minji.ask("room.enter", room_id=room_id)
    assert (reply["room"]["unread"], reply["room"]["read_seq"], reply["version"]) == (0, 1, 3)
    assert [message["body"] for message in reply["messages"]] == ["hello"]
    assert [member["user_id"] for member in reply["room"]["members"]] == ["minji", "junho"]
    [read] = edge.rooms.done
    assert isinstance(read, ReadRoom)
    assert (read.user_id, read.room_id, read.seq) == ("minji", room_id, MAX_INTEGER)


async def test_entering_marks_nothing_read_where_it_is_told_not_to(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    edge.rooms.say(room_id, "junho")
    minji = await edge.live("minji")
    assert (await minji.ask("room.enter", room_id=room_id, mark_read=False))["room"]["unread"] == 1
    assert edge.rooms.done == []


@pytest.mark.parametrize(
    ("refusal", "code", "retry_after"),
    [
        (None, "not_found", None),
        (Rejected(code="forbidden", detail="No."), "forbidden", None),
        (Rejected(code="unavailable", detail="Later."), "unavailable", 1),
        (Rejected(code="something new", detail="?"), "unavailable", 1),
    ],
)
async def test_who_cannot_read_a_room_does_not_enter_it(
    edge: Edge, refusal: Rejected | None, code: str, retry_after: int | None
):
    room_id = edge.rooms.create("junho")
    minji = await edge.live("minji")
    if refusal is not None:
        edge.rooms.refusals[ReadRoom] = refusal
    reply = await minji.ask("room.enter", room_id=room_id)
    assert (reply["op"], reply["code"], reply.get("retry_after")) == ("error", code, retry_after)
    assert edge.rooms.of("enter") == []


# Pages


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, PageChoice(limit=DEFAULT_PAGE)),
        ({"before": 4}, PageChoice(before=4)),
        ({"after": 5}, PageChoice(after=5)),
        ({"around": 6, "limit": 9}, PageChoice(around=6, limit=9)),
        ({"offset": 7}, PageChoice(offset=7)),
        ({"at": "2026-11-24T07:42:44.123Z"}, PageChoice(at=1795506164123)),
        ({"limit": RECENT_MESSAGES + 1}, PageChoice(limit=RECENT_MESSAGES + 1)),
    ],
)
async def test_a_choice_of_messages_reaches_rooms(edge: Edge, choice: dict[str, Any], expected: PageChoice):
    room_id = edge.rooms.create("minji")
    edge.rooms.say(room_id, "minji", "hello")
    minji = await edge.live("minji")
    reply = await minji.ask("message.list", room_id=room_id, **choice)
    assert (reply["version"], reply["has_more"]) == (2, False)
    asked = edge.rooms.of("messages")
    assert asked == [MessagesRequest(user_id="minji", room_id=room_id, choice=expected)]


async def test_a_time_that_is_none_is_refused(edge: Edge):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    for at in ("yesterday", "2026-11-24T07:42:44"):
        reply = await minji.ask("message.list", room_id=room_id, at=at)
        assert (reply["code"], reply["detail"][:3]) == ("invalid", "at:")
    assert edge.rooms.of("messages") == []


async def test_the_newest_page_is_asked_for_once_while_the_room_stands_still(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    edge.rooms.say(room_id, "junho", "one")
    minji, junho = await edge.live("minji"), await edge.live("junho")
    for person in (minji, minji, junho):  # both have been there from the beginning
        assert await bodies(person, room_id) == ["one"]
    assert len(edge.rooms.of("messages")) == 1
    edge.rooms.say(room_id, "junho", "two")
    await edge.gateway.subscriber.repair([room_id])
    assert await bodies(minji, room_id) == ["one", "two"]
    assert await bodies(minji, room_id, limit=1) == ["two"]
    assert await bodies(minji, room_id, before=2) == ["one"]
    assert await bodies(minji, room_id) == ["one", "two"]
    assert len(edge.rooms.of("messages")) == 4


async def test_who_joined_later_is_never_shown_the_page_of_who_was_there_before(edge: Edge):
    """Not even if the same page was just sent to an earlier member."""
    room_id = edge.rooms.create("minji")
    edge.rooms.say(room_id, "minji", "before sora came")
    edge.rooms.add(room_id, "sora")
    edge.rooms.say(room_id, "minji", "welcome")
    minji, sora = await edge.live("minji"), await edge.live("sora")
    for _ in range(2):  # asked of rooms, and answered again
        assert await bodies(minji, room_id) == ["before sora came", "welcome"]
        assert await bodies(sora, room_id) == ["welcome"]
    assert len(edge.rooms.of("messages")) == 2


async def test_who_is_out_of_a_room_is_not_shown_the_page_that_is_kept(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    edge.rooms.say(room_id, "minji", "one")
    minji, junho = await edge.live("minji"), await edge.live("junho")
    assert await bodies(junho, room_id) == ["one"]
    edge.rooms.remove(room_id, "junho")
    await edge.gateway.subscriber.repair([room_id])
    assert await bodies(minji, room_id) == ["one"]
    for person in (junho, await edge.live("stranger")):
        reply = await person.ask("message.list", room_id=room_id)
        assert (reply["op"], reply["code"]) == ("error", "not_found")


async def test_who_was_told_of_a_room_but_is_not_in_it_yet_is_answered_by_rooms(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    edge.rooms.say(room_id, "minji", "one")
    minji, junho = await edge.live("minji"), await edge.live("junho")
    assert await bodies(minji, room_id) == ["one"]
    edge.gateway.hub.leave(junho.client, room_id)
    assert await bodies(junho, room_id) == ["one"]
    assert len(edge.rooms.of("messages")) == 2


async def test_a_page_of_another_epoch_is_answered_and_not_kept(edge: Edge):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    edge.rooms.epoch = "epoch-2"
    for asked in (1, 2):
        assert await bodies(minji, room_id) == []
        assert len(edge.rooms.of("messages")) == asked


async def test_pages_of_the_old_epoch_are_forgotten_with_it(edge: Edge):
    room_id = edge.rooms.create("minji")
    edge.rooms.say(room_id, "minji", "old")
    assert await bodies(await edge.live("minji"), room_id) == ["old"]
    edge.rooms.epoch = "epoch-2"
    edge.gateway.adopt_epoch("epoch-2")
    edge.rooms.rooms[room_id].messages[0].body = "new"
    assert await bodies(await edge.live("minji"), room_id) == ["new"]


# Where something is away, or too much


@pytest.mark.parametrize(
    ("op", "fields"),
    [("home.list", {}), ("room.enter", {"mark_read": False}), ("message.list", {"before": 9})],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_read_has_to_wait_under_load(edge: Edge, op: str, fields: dict[str, Any]):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    asked = len(edge.rooms.asked)
    edge.overload.load = 1
    reply = await minji.ask(op, **({} if op == "home.list" else {"room_id": room_id}), **fields)
    assert (reply["op"], reply["code"], reply["retry_after"] in range(1, 5)) == ("error", "unavailable", True)
    assert len(edge.rooms.asked) == asked
    edge.overload.load = 0
    assert (await minji.ask(op, **({} if op == "home.list" else {"room_id": room_id}), **fields))["op"] == "ok"


@pytest.mark.parametrize(
    ("problem", "code", "retry_after"),
    [
        (Unavailable("away"), "unavailable", 1),
        (Invalid("limit: no."), "invalid", None),
        (ValueError("?"), "unavailable", 1),
    ],
    ids=["away", "refused", "not to be understood"],
)
async def test_what_rooms_does_not_answer_is_told(edge: Edge, problem: Any, code: str, retry_after: int | None):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    edge.rooms.problem = problem
    reply = await minji.ask("message.list", room_id=room_id)
    assert (reply["op"], reply["code"], reply.get("retry_after")) == ("error", code, retry_after)
    assert (minji.client.connection.unanswered, minji.wire.closed) == (0, None)


async def test_a_fault_of_ours_closes_the_connection_to_come_back(edge: Edge):
    minji = await edge.live("minji")
    edge.social.problem = KeyError("a fault")
    minji.say("home.list")
    await minji.settle()
    await eventually(lambda: minji.wire.closed)
    assert (minji.wire.closed, minji.of("error")) == (1013, [])


# The page that a snapshot makes


def message(seq: int) -> Message:
    return Message(
        room_id="r", seq=seq, version=seq + 1, sender_id="u", client_id="c", kind="text", body=f"{seq}", at="t"
    )


@settings(deadline=None)
@given(first=st.integers(1, 12), last=st.integers(0, 15), joined_seq=st.integers(0, 15), limit=st.integers(1, 12))
def test_a_page_is_what_a_member_sees_of_the_room_or_none(first: int, last: int, joined_seq: int, limit: int):
    """The room has messages from 1 on, the snapshot from `first` on."""
    snapshot = Snapshot(99, first, {seq: message(seq) for seq in range(last, first - 1, -1)})
    visible = [seq for seq in range(1, last + 1) if seq > joined_seq]
    page = _page_of(snapshot, "e", joined_seq, limit)
    if page is None:
        assert first > joined_seq + 1  # only where the snapshot does not reach back far enough
        assert len([seq for seq in visible if seq >= first]) < limit
        return
    assert page.messages == [message(seq) for seq in visible[-limit:]]
    assert (page.has_more, page.version, page.epoch) == (len(visible) > limit, 99, "e")


async def test_a_reply_in_flight_for_who_left_is_no_page_of_the_room_for_others(edge: Edge):
    """A page is not cached if its reader left the room meanwhile."""
    room_id = edge.rooms.create("minji", "junho")
    edge.rooms.say(room_id, "minji", "one")
    minji = await edge.live("minji")
    edge.rooms.gate.clear()
    frame_id = minji.say("message.list", room_id=room_id)
    await eventually(lambda: edge.rooms.of("messages"))
    edge.gateway.forget_place(minji.client, room_id)
    edge.rooms.gate.set()
    await minji.settle()
    assert (minji.reply(frame_id) or {})["op"] == "ok"
    assert edge.gateway.recent_pages._pages == {}


async def test_moved_cursors_reach_the_readers_merged(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    minji = await edge.live("minji")
    channel = live_channel("epoch-1", room_id)
    for cursors in ({"junho": 1}, {"junho": 3, "minji": 2}):
        edge.hear(channel, b"0 0 r\n" + msgspec.json.encode(cursors))
    assert minji.of("room.read") == []
    await edge.gateway.flush_cursors()
    assert minji.of("room.read") == [{"op": "room.read", "room_id": room_id, "cursors": {"junho": 3, "minji": 2}}]
