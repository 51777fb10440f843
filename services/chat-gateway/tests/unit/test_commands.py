"""Conversion of frames into commands and of results into replies, and commands through a connection."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chat_gateway.driver.performing.commands import command_of, reply_of, send_command
from chat_gateway.protocol.frames import (
    REPLIES,
    AnyCommandFrame,
    AnyFrame,
    ChangeReply,
    FileUpload,
    Hello,
    MessageDelete,
    MessageEdit,
    MessageReact,
    MessageSend,
    Ping,
    ReadReply,
    RoomInvite,
    RoomLeave,
    RoomRead,
    RoomTyping,
    SendReply,
)
from shared.contracts.limits import MAX_INTEGER
from shared.contracts.media import Attachment
from shared.contracts.rooms import (
    Accepted,
    AnyCommand,
    DeleteMessage,
    EditMessage,
    InviteMembers,
    LeaveRoom,
    ReactToMessage,
    ReadRoom,
    Rejected,
    SendMessage,
)
from shared.ids import is_id, new_id
from shared.testing.fixtures import eventually
from shared.tracing.context import new_span_context

from ..harness import GatewayHarness  # noqa: TID252 - the tests of one service

ROOM, CLIENT = new_id(), "0190C0DE-0000-4000-8000-00000000000A"
HEAD: dict[str, Any] = {"room_id": ROOM}
FILE = Attachment(attachment_id=new_id(), filename="a.png", content_type="image/png", size=1, url="/a")


@pytest.fixture
async def harness() -> AsyncIterator[GatewayHarness]:
    harness = GatewayHarness()
    async with harness.running():
        yield harness


COMMANDS: list[tuple[AnyCommandFrame, AnyCommand]] = [
    (MessageEdit(**HEAD, seq=3, body="x"), EditMessage(command_id="", room_id=ROOM, user_id="u", seq=3, body="x")),
    (MessageDelete(**HEAD, seq=4), DeleteMessage(command_id="", room_id=ROOM, user_id="u", seq=4)),
    (
        MessageReact(**HEAD, seq=5, emoji="👍", remove=True),
        ReactToMessage(command_id="", room_id=ROOM, user_id="u", seq=5, emoji="👍", remove=True),
    ),
    (RoomRead(**HEAD, seq=6), ReadRoom(command_id="", room_id=ROOM, user_id="u", seq=6)),
    (
        RoomInvite(**HEAD, user_ids=["a", "b"]),
        InviteMembers(command_id="", room_id=ROOM, user_id="u", user_ids=["a", "b"]),
    ),
    (RoomLeave(**HEAD), LeaveRoom(command_id="", room_id=ROOM, user_id="u")),
]


@pytest.mark.parametrize(("frame", "expected"), COMMANDS, ids=lambda value: type(value).__name__)
def test_a_frame_is_converted_into_a_command_with_a_new_id(frame: AnyCommandFrame, expected: AnyCommand):
    first, second = command_of(frame, "u"), command_of(frame, "u")
    assert is_id(first.command_id)
    assert first.command_id != second.command_id
    first.command_id = ""
    assert first == expected


def test_every_command_frame_has_a_command():
    frames = {frame for frame in AnyFrame.__args__ if issubclass(frame, AnyCommandFrame.__args__)}
    assert {type(frame) for frame, _ in COMMANDS} | {MessageSend, FileUpload} == frames


def test_other_frames_cannot_be_converted():
    with pytest.raises(TypeError, match="Ping"):
        command_of(Ping(), "u")


def test_a_message_is_sent_with_its_client_id_in_lower_case():
    frame = MessageSend(**HEAD, client_id=CLIENT, body="hi", reply_to=7, mentions=["m"])
    assert send_command(frame, "u", [FILE]) == SendMessage(
        command_id="", room_id=ROOM, user_id="u", client_id=CLIENT.lower(), body="hi", reply_to=7, mentions=["m"],
        attachments=[FILE],
    )  # fmt: skip


def test_an_upload_is_sent_as_a_message_with_its_file():
    frame = FileUpload(**HEAD, client_id=CLIENT, filename="a.png", data="", body="look")
    assert send_command(frame, "u", [FILE]) == SendMessage(
        command_id="", room_id=ROOM, user_id="u", client_id=CLIENT.lower(), body="look", attachments=[FILE]
    )


def test_every_frame_that_is_answered_with_ok_has_a_reply():
    assert REPLIES.keys() == set(AnyFrame.__args__) - {Hello, RoomTyping}


def test_a_reply_has_the_fields_of_its_op():
    accepted = Accepted(version=9, seq=4, at="then", duplicate=True, read_seq=2)
    sent = SendReply(id="1", seq=4, version=9, at="then", duplicate=True)
    assert reply_of(MessageSend(id="1", **HEAD, client_id=CLIENT, body=""), accepted) == sent
    assert reply_of(RoomRead(id="2", **HEAD, seq=1), accepted) == ReadReply(id="2", read_seq=2)
    assert reply_of(MessageDelete(**HEAD, seq=1), accepted) == ChangeReply(id="", version=9)


# Through a connection


async def test_each_command_of_a_member_reaches_rooms_and_is_answered(harness: GatewayHarness):
    room_id, other = harness.rooms.create("minji"), new_id()
    minji = await harness.connect("minji")
    text = {"room_id": room_id, "client_id": CLIENT, "body": "hello"}
    sent = await minji.request("message.send", **text, reply_to=1, mentions=[other])
    assert (sent["op"], sent["seq"], sent["version"], "at" in sent) == ("ok", 1, 2, True)
    again = await minji.request("message.send", **text)
    assert again == sent | {"id": again["id"], "duplicate": True}
    for op, fields, version in (
        ("message.edit", {"seq": 1, "body": "bye"}, 3),
        ("message.react", {"seq": 1, "emoji": "👍"}, 4),
        ("message.delete", {"seq": 1}, 5),
        ("room.invite", {"user_ids": [other]}, 6),
        ("room.leave", {}, 7),
    ):
        reply = await minji.request(op, room_id=room_id, **fields)
        assert (op, reply) == (op, {"op": "ok", "id": reply["id"], "version": version})
    ops = [type(command).__name__ for command in harness.rooms.commands]
    assert ops == [
        "SendMessage", "SendMessage", "EditMessage", "ReactToMessage", "DeleteMessage", "InviteMembers", "LeaveRoom",
    ]  # fmt: skip
    assert {command.user_id for command in harness.rooms.commands} == {"minji"}
    assert minji.connection.unanswered == 0


async def test_a_read_is_answered_with_the_new_cursor(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    harness.rooms.add_message(room_id, "junho")
    minji = await harness.connect("minji")
    reply = await minji.request("room.read", room_id=room_id, seq=MAX_INTEGER)
    assert reply == {"op": "ok", "id": reply["id"], "read_seq": 1}


async def test_a_rejected_command_is_answered_with_its_code_and_detail(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    harness.rooms.rejections[EditMessage] = Rejected(code="forbidden", detail="Not yours.")
    reply = await minji.request("message.edit", room_id=room_id, seq=1, body="x")
    assert reply == {"op": "error", "id": reply["id"], "code": "forbidden", "detail": "Not yours."}
    harness.rooms.rejections[EditMessage] = Rejected(code="unavailable", detail="Later.")
    assert (await minji.request("message.edit", room_id=room_id, seq=1, body="x"))["retry_after"] == 1


async def test_frames_that_need_no_other_service_are_answered_at_once(harness: GatewayHarness):
    minji = await harness.connect("minji")
    before = len(harness.rooms.requests)
    ping, left = minji.send("ping"), minji.send("room.exit", room_id=ROOM)
    assert (minji.reply(ping) or {}).keys() == {"op", "id", "at"}
    assert minji.reply(left) == {"op": "ok", "id": left}
    assert len(harness.rooms.requests) == before


@pytest.mark.parametrize("op", ["message.edit", "room.enter", "message.list", "file.upload", "room.exit"])
async def test_an_invalid_room_id_is_not_found(harness: GatewayHarness, op: str):
    minji = await harness.connect("minji")
    before = len(harness.rooms.requests) + len(harness.media.requests)
    fields = {"seq": 1, "body": "x", "client_id": CLIENT, "filename": "f", "data": ""}
    reply = await minji.request(op, room_id="no-id", **fields)
    assert (reply["op"], reply["code"]) == ("error", "not_found")
    assert len(harness.rooms.requests) + len(harness.media.requests) == before


async def test_commands_of_one_room_keep_their_order_while_rooms_is_busy(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    harness.rooms.pause()
    for number in range(20):
        minji.send("message.send", room_id=room_id, client_id=str(uuid.uuid4()), body=f"{number}")
        await asyncio.sleep(0)
    harness.rooms.resume()
    await eventually(lambda: len(minji.received("ok")) == 20)
    assert harness.rooms.bodies(room_id) == [f"{number}" for number in range(20)]
    assert len(harness.rooms.requests_to("commands")) < 20  # queued commands were sent together


@pytest.mark.parametrize("share", [1.0, 0.0])
async def test_a_share_of_the_commands_is_sampled(share: float, spans: list[dict[str, Any]]):
    harness = GatewayHarness(trace_sample=share)
    async with harness.running():
        room_id = harness.rooms.create("minji")
        minji = await harness.connect("minji")
        await minji.request("message.send", room_id=room_id, client_id=CLIENT, body="x")
        [command] = harness.rooms.commands
    if not share:
        assert (spans, command.traceparent) == ([], "")
        return
    request, send = spans
    assert (send["event.action"], send["user.id"], send["event.outcome"]) == ("message.send", "minji", "success")
    assert (send["webchat.room"], "parent.id" in send) == (room_id, False)
    assert (request["event.action"], request["parent.id"]) == ("rooms.commands", send["span.id"])
    assert command.traceparent == f"00-{send['trace.id']}-{request['span.id']}-01"


async def test_a_command_with_a_traceparent_is_sampled(harness: GatewayHarness, spans: list[dict[str, Any]]):
    room_id, context = harness.rooms.create("minji"), new_span_context()
    minji = await harness.connect("minji")
    harness.rooms.rejections[EditMessage] = Rejected(code="forbidden", detail="Not yours.")
    text = {"room_id": room_id, "seq": 1, "body": "x"}
    await minji.request("message.edit", **text, traceparent=context.traceparent)
    request, edit = spans
    assert (edit["event.action"], edit["event.outcome"]) == ("message.edit", "failure")
    assert (edit["trace.id"], edit["parent.id"]) == (context.trace_id, context.span_id)
    assert (request["parent.id"], request["event.outcome"]) == (edit["span.id"], "success")
    await minji.request("message.edit", **text, traceparent="nonsense")
    assert len(spans) == 2


async def test_typing_is_sent_to_the_other_members_and_has_no_reply(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    minji, junho = await harness.connect("minji"), await harness.connect("junho")
    minji.send("room.typing", room_id=room_id, typing=True)
    await harness.gateway.ephemeral.run()
    assert junho.received("room.typing") == [
        {"op": "room.typing", "room_id": room_id, "user_id": "minji", "typing": True}
    ]
    assert minji.received("room.typing") == minji.received("ok") == []
    assert minji.connection.unanswered == 0


async def test_a_user_who_is_not_in_a_room_cannot_type_in_it(harness: GatewayHarness):
    room_id = harness.rooms.create("junho")
    minji, junho = await harness.connect("minji"), await harness.connect("junho")
    reply = await minji.request("room.typing", room_id=room_id, typing=True)
    assert (reply["code"], minji.connection.unanswered) == ("not_found", 0)
    junho.send("room.typing", room_id=room_id, typing=True)
    await harness.gateway.ephemeral.run()
    assert len([one for one in harness.memory.published if one[0].startswith("room:")]) == 1  # junho's


async def test_typing_is_dropped_under_load(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    minji, junho = await harness.connect("minji"), await harness.connect("junho")
    harness.overload.load = 1
    minji.send("room.typing", room_id=room_id, typing=True)
    harness.overload.load = 0
    minji.send("room.typing", room_id=room_id, typing=False)
    await harness.gateway.ephemeral.run()
    assert [frame["typing"] for frame in junho.received("room.typing")] == [False]
