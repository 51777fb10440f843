"""Translate frames into commands, and results into replies."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chat_gateway.driver.commands import command_of, reply_of, send_command
from chat_gateway.protocol.frames import (
    AnyFrame,
    CommandFrame,
    FileUpload,
    MessageDelete,
    MessageEdit,
    MessageReact,
    MessageSend,
    Ok,
    Ping,
    RoomInvite,
    RoomLeave,
    RoomRead,
)
from shared.contracts.media import Attachment
from shared.contracts.rooms import (
    MAX_INTEGER,
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

from ..edge import Edge  # noqa: TID252 - the tests of one service

ROOM, CLIENT = new_id(), "0190C0DE-0000-4000-8000-00000000000A"
HEAD: dict[str, Any] = {"room_id": ROOM}
FILE = Attachment(attachment_id=new_id(), filename="a.png", content_type="image/png", size=1, url="/a")


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    it = Edge()
    async with it.running():
        yield it


COMMANDS: list[tuple[CommandFrame, AnyCommand]] = [
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
def test_a_frame_becomes_the_command_of_its_user_with_a_new_id(frame: CommandFrame, expected: AnyCommand):
    first, second = command_of(frame, "u"), command_of(frame, "u")
    assert is_id(first.command_id)
    assert first.command_id != second.command_id
    first.command_id = ""
    assert first == expected


def test_every_command_frame_has_a_command():
    frames = {frame for frame in AnyFrame.__args__ if issubclass(frame, CommandFrame)}
    assert {type(frame) for frame, _ in COMMANDS} | {MessageSend, FileUpload} == frames


def test_what_is_no_command_is_a_fault_of_ours():
    with pytest.raises(TypeError, match="Ping"):
        command_of(Ping(), "u")


def test_a_message_is_sent_under_its_client_id_in_lower_case():
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


def test_a_reply_carries_what_its_frame_asked_for():
    done = Accepted(version=9, seq=4, at="then", duplicate=True, read_seq=2)
    sent = Ok(id="1", seq=4, version=9, at="then", duplicate=True)
    assert reply_of(MessageSend(id="1", **HEAD, client_id=CLIENT, body=""), done) == sent
    assert reply_of(RoomRead(id="2", **HEAD, seq=1), done) == Ok(id="2", read_seq=2)
    assert reply_of(MessageDelete(**HEAD, seq=1), done) == Ok(id="", version=9)


# Through a connection


async def test_each_command_of_a_member_reaches_rooms_and_is_answered(edge: Edge):
    room_id, other = edge.rooms.create("minji"), new_id()
    minji = await edge.live("minji")
    text = {"room_id": room_id, "client_id": CLIENT, "body": "hello"}
    sent = await minji.ask("message.send", **text, reply_to=1, mentions=[other])
    assert (sent["op"], sent["seq"], sent["version"], "at" in sent) == ("ok", 1, 2, True)
    again = await minji.ask("message.send", **text)
    assert again == sent | {"id": again["id"], "duplicate": True}
    for op, fields, version in (
        ("message.edit", {"seq": 1, "body": "bye"}, 3),
        ("message.react", {"seq": 1, "emoji": "👍"}, 4),
        ("message.delete", {"seq": 1}, 5),
        ("room.invite", {"user_ids": [other]}, 6),
        ("room.leave", {}, 7),
    ):
        reply = await minji.ask(op, room_id=room_id, **fields)
        assert (op, reply) == (op, {"op": "ok", "id": reply["id"], "version": version})
    ops = [type(command).__name__ for command in edge.rooms.done]
    assert ops == [
        "SendMessage", "SendMessage", "EditMessage", "ReactToMessage", "DeleteMessage", "InviteMembers", "LeaveRoom",
    ]  # fmt: skip
    assert {command.user_id for command in edge.rooms.done} == {"minji"}
    assert minji.client.connection.unanswered == 0


async def test_a_read_is_answered_with_where_it_led(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    edge.rooms.say(room_id, "junho")
    minji = await edge.live("minji")
    reply = await minji.ask("room.read", room_id=room_id, seq=MAX_INTEGER)
    assert reply == {"op": "ok", "id": reply["id"], "read_seq": 1}


async def test_what_rooms_refuses_is_refused_with_its_code_and_words(edge: Edge):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    edge.rooms.refusals[EditMessage] = Rejected(code="forbidden", detail="Not yours.")
    reply = await minji.ask("message.edit", room_id=room_id, seq=1, body="x")
    assert reply == {"op": "error", "id": reply["id"], "code": "forbidden", "detail": "Not yours."}
    edge.rooms.refusals[EditMessage] = Rejected(code="unavailable", detail="Later.")
    assert (await minji.ask("message.edit", room_id=room_id, seq=1, body="x"))["retry_after"] == 1


async def test_what_needs_no_other_service_is_answered_at_once(edge: Edge):
    minji = await edge.live("minji")
    asked = len(edge.rooms.asked)
    ping, left = minji.say("ping"), minji.say("room.exit", room_id=ROOM)
    assert (minji.reply(ping) or {}).keys() == {"op", "id", "at"}
    assert minji.reply(left) == {"op": "ok", "id": left}
    assert len(edge.rooms.asked) == asked


@pytest.mark.parametrize("op", ["message.edit", "room.enter", "message.list", "file.upload", "room.exit"])
async def test_what_is_no_room_id_is_no_room(edge: Edge, op: str):
    minji = await edge.live("minji")
    asked = len(edge.rooms.asked) + len(edge.media.asked)
    fields = {"seq": 1, "body": "x", "client_id": CLIENT, "filename": "f", "data": ""}
    reply = await minji.ask(op, room_id="no-id", **fields)
    assert (reply["op"], reply["code"]) == ("error", "not_found")
    assert len(edge.rooms.asked) + len(edge.media.asked) == asked


async def test_commands_of_one_room_keep_their_order_while_rooms_is_busy(edge: Edge):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    edge.rooms.gate.clear()
    for number in range(20):
        minji.say("message.send", room_id=room_id, client_id=str(uuid.uuid4()), body=f"{number}")
        await asyncio.sleep(0)
    edge.rooms.gate.set()
    await eventually(lambda: len(minji.of("ok")) == 20)
    assert edge.rooms.bodies(room_id) == [f"{number}" for number in range(20)]
    assert len(edge.rooms.of("commands")) < 20  # what waited went together


@pytest.mark.parametrize("share", [1.0, 0.0])
async def test_a_share_of_the_commands_is_sampled(share: float, spans: list[dict[str, Any]]):
    edge = Edge(trace_sample=share)
    async with edge.running():
        room_id = edge.rooms.create("minji")
        minji = await edge.live("minji")
        await minji.ask("message.send", room_id=room_id, client_id=CLIENT, body="x")
        [command] = edge.rooms.done
    if not share:
        assert (spans, command.traceparent) == ([], "")
        return
    call, send = spans
    assert (send["event.action"], send["user.id"], send["event.outcome"]) == ("message.send", "minji", "success")
    assert (send["webchat.room"], "parent.id" in send) == (room_id, False)
    assert (call["event.action"], call["parent.id"]) == ("rooms.commands", send["span.id"])
    assert command.traceparent == f"00-{send['trace.id']}-{call['span.id']}-01"


async def test_a_command_is_sampled_where_its_client_asks_for_it(edge: Edge, spans: list[dict[str, Any]]):
    room_id, membership = edge.rooms.create("minji"), new_span_context()
    minji = await edge.live("minji")
    edge.rooms.refusals[EditMessage] = Rejected(code="forbidden", detail="Not yours.")
    text = {"room_id": room_id, "seq": 1, "body": "x"}
    await minji.ask("message.edit", **text, traceparent=membership.traceparent)
    call, edit = spans
    assert (edit["event.action"], edit["event.outcome"]) == ("message.edit", "failure")
    assert (edit["trace.id"], edit["parent.id"]) == (membership.trace_id, membership.span_id)
    assert (call["parent.id"], call["event.outcome"]) == (edit["span.id"], "success")
    await minji.ask("message.edit", **text, traceparent="nonsense")
    assert len(spans) == 2


async def test_typing_goes_to_the_others_and_has_no_reply(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    minji, junho = await edge.live("minji"), await edge.live("junho")
    minji.say("room.typing", room_id=room_id, typing=True)
    await edge.gateway.ephemeral.run()
    assert junho.of("room.typing") == [{"op": "room.typing", "room_id": room_id, "user_id": "minji", "typing": True}]
    assert minji.of("room.typing") == minji.of("ok") == []
    assert minji.client.connection.unanswered == 0


async def test_who_does_not_read_a_room_cannot_type_in_it(edge: Edge):
    room_id = edge.rooms.create("junho")
    minji, junho = await edge.live("minji"), await edge.live("junho")
    reply = await minji.ask("room.typing", room_id=room_id, typing=True)
    assert (reply["code"], minji.client.connection.unanswered) == ("not_found", 0)
    junho.say("room.typing", room_id=room_id, typing=True)
    await edge.gateway.ephemeral.run()
    assert len([one for one in edge.memory.published if one[0].startswith("room:")]) == 1  # junho's


async def test_typing_is_dropped_under_load(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    minji, junho = await edge.live("minji"), await edge.live("junho")
    edge.overload.load = 1
    minji.say("room.typing", room_id=room_id, typing=True)
    edge.overload.load = 0
    minji.say("room.typing", room_id=room_id, typing=False)
    await edge.gateway.ephemeral.run()
    assert [frame["typing"] for frame in junho.of("room.typing")] == [False]
