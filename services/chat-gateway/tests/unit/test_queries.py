"""Queries without cached pages in Redis: sources, visibility and errors."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_gateway.driver.performing.newest_page import _page_of
from shared.contracts.limits import DEFAULT_PAGE, MAX_INTEGER
from shared.contracts.rooms import Message, MessagesRequest, PageChoice, ReadRoom, Rejected, RoomListPageRequest
from shared.errors import Invalid, Unavailable
from shared.roomlog.fold import Snapshot
from shared.roomlog.keys import live_channel
from shared.roomlog.page import RECENT_MESSAGES
from shared.testing.fixtures import eventually

from ..harness import FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service


@pytest.fixture
async def harness() -> AsyncIterator[GatewayHarness]:
    harness = GatewayHarness()
    async with harness.running():
        yield harness


async def bodies(client: FakeClient, room_id: str, **choice: Any) -> list[str]:
    reply = await client.request("message.list", room_id=room_id, **choice)
    assert reply["op"] == "ok", reply
    return [message["body"] for message in reply["messages"]]


# The room list, and entering a room


async def test_the_room_list_has_rooms_friends_and_the_next_cursor(harness: GatewayHarness):
    room_ids = [harness.rooms.create("minji") for _ in range(3)]
    harness.social.follow("minji", "junho")
    minji = await harness.connect("minji")
    reply = await minji.request("home.list", limit=2)
    assert [room["room_id"] for room in reply["rooms"]] == room_ids[:2]
    assert ([friend["user_id"] for friend in reply["friends"]], reply["next"]) == (["junho"], "more")
    assert (await minji.request("home.list", before="more"))["next"] is None
    assert harness.rooms.requests_to("home-page") == [
        RoomListPageRequest(user_id="minji", before=None, limit=2),
        RoomListPageRequest(user_id="minji", before="more", limit=200),
    ]


async def test_entering_marks_the_room_as_read_before_the_snapshot(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    harness.rooms.add_message(room_id, "junho", "hello")
    minji = await harness.connect("minji")
    reply = await minji.request("room.enter", room_id=room_id)
    assert (reply["room"]["unread"], reply["room"]["read_seq"], reply["version"]) == (0, 1, 3)
    assert [message["body"] for message in reply["messages"]] == ["hello"]
    assert [member["user_id"] for member in reply["room"]["members"]] == ["minji", "junho"]
    [read] = harness.rooms.commands
    assert isinstance(read, ReadRoom)
    assert (read.user_id, read.room_id, read.seq) == ("minji", room_id, MAX_INTEGER)


async def test_entering_without_mark_read_leaves_the_room_unread(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    harness.rooms.add_message(room_id, "junho")
    minji = await harness.connect("minji")
    assert (await minji.request("room.enter", room_id=room_id, mark_read=False))["room"]["unread"] == 1
    assert harness.rooms.commands == []


@pytest.mark.parametrize(
    ("rejection", "code", "retry_after"),
    [
        (None, "not_found", None),
        (Rejected(code="forbidden", detail="No."), "forbidden", None),
        (Rejected(code="unavailable", detail="Later."), "unavailable", 1),
        (Rejected(code="something new", detail="?"), "unavailable", 1),
    ],
)
async def test_a_room_is_not_entered_if_it_cannot_be_marked_as_read(
    harness: GatewayHarness, rejection: Rejected | None, code: str, retry_after: int | None
):
    room_id = harness.rooms.create("junho")
    minji = await harness.connect("minji")
    if rejection is not None:
        harness.rooms.rejections[ReadRoom] = rejection
    reply = await minji.request("room.enter", room_id=room_id)
    assert (reply["op"], reply["code"], reply.get("retry_after")) == ("error", code, retry_after)
    assert harness.rooms.requests_to("enter") == []


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
async def test_the_choice_of_a_page_is_passed_to_rooms(
    harness: GatewayHarness, choice: dict[str, Any], expected: PageChoice
):
    room_id = harness.rooms.create("minji")
    harness.rooms.add_message(room_id, "minji", "hello")
    minji = await harness.connect("minji")
    reply = await minji.request("message.list", room_id=room_id, **choice)
    assert (reply["version"], reply["has_more"]) == (2, False)
    requests = harness.rooms.requests_to("messages")
    assert requests == [MessagesRequest(user_id="minji", room_id=room_id, choice=expected)]


async def test_an_invalid_time_is_rejected(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    for at in ("yesterday", "2026-11-24T07:42:44"):
        reply = await minji.request("message.list", room_id=room_id, at=at)
        assert (reply["code"], reply["detail"][:3]) == ("invalid", "at:")
    assert harness.rooms.requests_to("messages") == []


async def test_the_newest_page_is_loaded_once_while_the_room_does_not_change(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    harness.rooms.add_message(room_id, "junho", "one")
    minji, junho = await harness.connect("minji"), await harness.connect("junho")
    for client in (minji, minji, junho):  # both joined before the first message
        assert await bodies(client, room_id) == ["one"]
    assert len(harness.rooms.requests_to("messages")) == 1
    harness.rooms.add_message(room_id, "junho", "two")
    await harness.gateway.live_rooms.feed.repair([room_id])
    assert await bodies(minji, room_id) == ["one", "two"]
    assert await bodies(minji, room_id, limit=1) == ["two"]
    assert await bodies(minji, room_id, before=2) == ["one"]
    assert await bodies(minji, room_id) == ["one", "two"]
    assert len(harness.rooms.requests_to("messages")) == 4


async def test_a_later_member_never_gets_the_page_of_an_earlier_member(harness: GatewayHarness):
    """Not even if an earlier member just got the same page."""
    room_id = harness.rooms.create("minji")
    harness.rooms.add_message(room_id, "minji", "before sora joined")
    harness.rooms.add(room_id, "sora")
    harness.rooms.add_message(room_id, "minji", "welcome")
    minji, sora = await harness.connect("minji"), await harness.connect("sora")
    for _ in range(2):  # from rooms, and from the cache
        assert await bodies(minji, room_id) == ["before sora joined", "welcome"]
        assert await bodies(sora, room_id) == ["welcome"]
    assert len(harness.rooms.requests_to("messages")) == 2


async def test_a_user_who_left_does_not_get_the_cached_page(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    harness.rooms.add_message(room_id, "minji", "one")
    minji, junho = await harness.connect("minji"), await harness.connect("junho")
    assert await bodies(junho, room_id) == ["one"]
    harness.rooms.remove(room_id, "junho")
    await harness.gateway.live_rooms.feed.repair([room_id])
    assert await bodies(minji, room_id) == ["one"]
    for client in (junho, await harness.connect("stranger")):
        reply = await client.request("message.list", room_id=room_id)
        assert (reply["op"], reply["code"]) == ("error", "not_found")


async def test_a_connection_that_has_not_joined_the_room_yet_gets_the_page_from_rooms(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    harness.rooms.add_message(room_id, "minji", "one")
    minji, junho = await harness.connect("minji"), await harness.connect("junho")
    assert await bodies(minji, room_id) == ["one"]
    harness.gateway.live_rooms.hub.leave(junho.connection, room_id)
    assert await bodies(junho, room_id) == ["one"]
    assert len(harness.rooms.requests_to("messages")) == 2


async def test_a_page_of_another_epoch_is_returned_but_not_cached(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    harness.rooms.epoch = "epoch-2"
    for count in (1, 2):
        assert await bodies(minji, room_id) == []
        assert len(harness.rooms.requests_to("messages")) == count


async def test_a_new_epoch_clears_the_page_cache(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    harness.rooms.add_message(room_id, "minji", "old")
    assert await bodies(await harness.connect("minji"), room_id) == ["old"]
    harness.rooms.epoch = "epoch-2"
    harness.gateway.live_rooms.adopt_epoch("epoch-2")
    harness.rooms.rooms[room_id].messages[0].body = "new"
    assert await bodies(await harness.connect("minji"), room_id) == ["new"]


# Unavailable services and load


@pytest.mark.parametrize(
    ("op", "fields"),
    [("home.list", {}), ("room.enter", {"mark_read": False}), ("message.list", {"before": 9})],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_queries_are_rejected_under_load(harness: GatewayHarness, op: str, fields: dict[str, Any]):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    before = len(harness.rooms.requests)
    harness.overload.load = 1
    reply = await minji.request(op, **({} if op == "home.list" else {"room_id": room_id}), **fields)
    assert (reply["op"], reply["code"], reply["retry_after"] in range(1, 5)) == ("error", "unavailable", True)
    assert {path for path, _ in harness.rooms.requests[before:]} <= {"events"}  # the repair after the start
    harness.overload.load = 0
    assert (await minji.request(op, **({} if op == "home.list" else {"room_id": room_id}), **fields))["op"] == "ok"


@pytest.mark.parametrize(
    ("error", "code", "retry_after"),
    [
        (Unavailable("away"), "unavailable", 1),
        (Invalid("limit: no."), "invalid", None),
        (ValueError("?"), "unavailable", 1),
    ],
    ids=["unavailable", "rejected", "undecodable"],
)
async def test_an_error_of_rooms_is_passed_to_the_client(
    harness: GatewayHarness, error: Any, code: str, retry_after: int | None
):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    harness.rooms.error = error
    reply = await minji.request("message.list", room_id=room_id)
    assert (reply["op"], reply["code"], reply.get("retry_after")) == ("error", code, retry_after)
    assert (minji.connection.unanswered, minji.transport.closed) == (0, None)


async def test_an_unexpected_error_closes_the_connection_with_try_again(harness: GatewayHarness):
    minji = await harness.connect("minji")
    harness.social.error = KeyError("a fault")
    minji.send("home.list")
    await minji.settle()
    await eventually(lambda: minji.transport.closed)
    assert (minji.transport.closed, minji.received("error")) == (1013, [])


# Pages of a snapshot


def message(seq: int) -> Message:
    return Message(
        room_id="r", seq=seq, version=seq + 1, sender_id="u", client_id="c", kind="text", body=f"{seq}", at="t"
    )


@settings(deadline=None)
@given(first=st.integers(1, 12), last=st.integers(0, 15), joined_seq=st.integers(0, 15), limit=st.integers(1, 12))
def test_a_page_contains_exactly_the_visible_messages(first: int, last: int, joined_seq: int, limit: int):
    """The room has messages from seq 1 on, the snapshot from `first` on."""
    snapshot = Snapshot(99, first, {seq: message(seq) for seq in range(last, first - 1, -1)})
    visible = [seq for seq in range(1, last + 1) if seq > joined_seq]
    page = _page_of(snapshot, "e", joined_seq, limit)
    if page is None:
        assert first > joined_seq + 1  # the snapshot does not reach back far enough
        assert len([seq for seq in visible if seq >= first]) < limit
        return
    assert page.messages == [message(seq) for seq in visible[-limit:]]
    assert (page.has_more, page.version, page.epoch) == (len(visible) > limit, 99, "e")


async def test_a_page_is_not_cached_if_its_reader_left_meanwhile(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    harness.rooms.add_message(room_id, "minji", "one")
    minji = await harness.connect("minji")
    harness.rooms.pause()
    frame_id = minji.send("message.list", room_id=room_id)
    await eventually(lambda: harness.rooms.requests_to("messages"))
    harness.gateway.live_rooms.subscriptions.leave(minji.connection, room_id)
    harness.rooms.resume()
    await minji.settle()
    assert (minji.reply(frame_id) or {})["op"] == "ok"
    assert harness.gateway.live_rooms.recent_pages._pages == {}


async def test_moved_cursors_are_merged_and_sent_to_readers(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    minji = await harness.connect("minji")
    channel = live_channel("epoch-1", room_id)
    for cursors in ({"junho": 1}, {"junho": 3, "minji": 2}):
        harness.deliver(channel, b"0 0 r\n" + msgspec.json.encode(cursors))
    assert minji.received("room.read") == []
    await harness.gateway.live_rooms.flush_cursors()
    assert minji.received("room.read") == [{"op": "room.read", "room_id": room_id, "cursors": {"junho": 3, "minji": 2}}]
