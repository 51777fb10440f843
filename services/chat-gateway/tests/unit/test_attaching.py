"""Messages with attachments and uploads: ordering, errors and rate limits."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chat_gateway.driver.attaching import UPLOADS_A_MINUTE
from shared.contracts.media import AttachmentsRequest, UploadRequest
from shared.contracts.rooms import Rejected, SendMessage
from shared.errors import Forbidden, NotFound, RateLimited, Unavailable
from shared.ids import new_id
from shared.testing.fixtures import eventually

from ..edge import Edge, Person  # noqa: TID252 - the tests of one service


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    it = Edge()
    async with it.running():
        yield it


def send(person: Person, room_id: str, body: str, *attachment_ids: str) -> str:
    return person.say(
        "message.send", room_id=room_id, client_id=new_id(), body=body, attachment_ids=list(attachment_ids)
    )


def upload(person: Person, room_id: str, **fields: Any) -> str:
    return person.say(
        "file.upload", **{"room_id": room_id, "client_id": new_id(), "filename": "a.png", "data": "AAAA"} | fields
    )


async def test_a_message_carries_its_attachments_as_media_has_them(edge: Edge):
    room_id = edge.rooms.create("minji")
    minji, files = await edge.live("minji"), [edge.media.store("b.png"), edge.media.store("a.png")]
    ids = [file.attachment_id for file in files]
    reply = await minji.ask("message.send", room_id=room_id, client_id=new_id(), body="two", attachment_ids=ids)
    assert (reply["op"], reply["seq"]) == ("ok", 1)
    [message] = edge.rooms.rooms[room_id].messages
    assert (message.body, message.attachments) == ("two", files)
    [asked] = edge.media.of("attachments")
    assert asked == AttachmentsRequest(user_id="minji", room_id=room_id, attachment_ids=ids)


async def test_later_messages_of_the_room_wait_behind_and_those_of_other_rooms_do_not(edge: Edge):
    room_id, elsewhere = edge.rooms.create("minji"), edge.rooms.create("minji")
    minji, file = await edge.live("minji"), edge.media.store()
    edge.media.gate.clear()
    send(minji, room_id, "first", file.attachment_id)
    send(minji, room_id, "second", file.attachment_id)
    send(minji, room_id, "third")
    minji.say("message.edit", room_id=room_id, seq=1, body="fourth")
    send(minji, elsewhere, "now")
    await eventually(lambda: edge.rooms.bodies(elsewhere) == ["now"])
    assert edge.rooms.bodies(room_id) == []
    edge.media.gate.set()
    await eventually(lambda: len(minji.of("ok")) == 5)
    assert edge.rooms.bodies(room_id) == ["first", "second", "third"]
    assert type(edge.rooms.done[-1]).__name__ == "EditMessage"
    assert (minji.client.held, minji.client.connection.unanswered) == ({}, 0)


async def test_what_another_connection_sends_does_not_wait(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    minji, junho = await edge.live("minji"), await edge.live("junho")
    edge.media.gate.clear()
    send(minji, room_id, "late", edge.media.store().attachment_id)
    reply = await junho.ask("message.send", room_id=room_id, client_id=new_id(), body="early")
    assert reply["seq"] == 1
    edge.media.gate.set()
    await eventually(lambda: edge.rooms.bodies(room_id) == ["early", "late"])


@pytest.mark.parametrize(
    ("problem", "code", "retry_after"),
    [
        (NotFound("there is no such attachment."), "invalid", None),
        (Forbidden("not yours."), "forbidden", None),
        (RateLimited("too many.", retry_after=7), "rate_limited", 7),
    ],
)
async def test_what_media_refuses_is_refused_and_the_next_goes_on(
    edge: Edge, problem: Any, code: str, retry_after: int | None
):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    edge.media.problem = problem
    first, second = send(minji, room_id, "first", new_id()), send(minji, room_id, "second")
    await eventually(lambda: minji.reply(second))
    refused = minji.reply(first) or {}
    assert (refused["code"], refused["detail"], refused.get("retry_after")) == (
        code, f"attachment_ids: {problem.detail}", retry_after,
    )  # fmt: skip
    assert edge.rooms.bodies(room_id) == ["second"]
    assert (minji.client.held, minji.client.connection.unanswered) == ({}, 0)


async def test_what_is_no_id_is_refused_without_asking_media(edge: Edge):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    first, second = send(minji, room_id, "first", new_id(), "no-id"), send(minji, room_id, "second")
    await eventually(lambda: minji.reply(second))
    assert (minji.reply(first) or {})["code"] == "invalid"
    assert (edge.media.asked, edge.rooms.bodies(room_id)) == ([], ["second"])


async def test_where_media_is_away_all_that_waited_is_refused_in_order(edge: Edge):
    room_id, elsewhere = edge.rooms.create("minji"), edge.rooms.create("minji")
    minji, file = await edge.live("minji"), edge.media.store()
    edge.media.gate.clear()
    edge.media.problem = Unavailable("media is away")
    ids = [send(minji, room_id, "first", file.attachment_id), send(minji, room_id, "second")]
    kept = send(minji, elsewhere, "kept")
    edge.media.gate.set()
    await eventually(lambda: len(minji.of("error")) == 2 and minji.reply(kept))
    refused = [(frame["id"], frame["code"], frame["retry_after"]) for frame in minji.of("error")]
    assert refused == [(frame_id, "unavailable", 1) for frame_id in ids]
    assert (edge.rooms.bodies(room_id), edge.rooms.bodies(elsewhere)) == ([], ["kept"])
    assert (minji.client.held, minji.client.connection.unanswered) == ({}, 0)
    edge.media.problem = None
    again = await minji.ask("message.send", room_id=room_id, client_id=new_id(), body="again", attachment_ids=[])
    assert again["seq"] == 1


# Uploads


async def test_an_upload_is_stored_and_then_sent_under_the_same_client_id(edge: Edge):
    room_id, client_id = edge.rooms.create("minji"), new_id().upper()
    minji = await edge.live("minji")
    frame_id = upload(minji, room_id, client_id=client_id, filename="cat.png", data="AAAA", body="look")
    reply: dict[str, Any] = await eventually(lambda: minji.reply(frame_id))
    assert edge.media.of("uploads") == [
        UploadRequest(user_id="minji", room_id=room_id, client_id=client_id.lower(), filename="cat.png", data="AAAA")
    ]
    [stored] = edge.media.stored.values()
    [message] = edge.rooms.rooms[room_id].messages
    assert (message.client_id, message.body, message.attachments) == (client_id.lower(), "look", [stored])
    assert (reply["op"], reply["seq"], reply["version"], reply["at"]) == ("ok", 1, message.version, message.at)
    assert reply["attachment"]["attachment_id"] == stored.attachment_id
    again: dict[str, Any] = await minji.ask(
        "file.upload", room_id=room_id, client_id=client_id, filename="cat.png", data="AAAA", body="look"
    )
    assert (again["seq"], again["duplicate"]) == (1, True)


async def test_people_go_on_talking_while_a_file_is_stored(edge: Edge):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    edge.media.gate.clear()
    frame_id = upload(minji, room_id, body="file")
    assert (await minji.ask("message.send", room_id=room_id, client_id=new_id(), body="text"))["seq"] == 1
    edge.media.gate.set()
    await eventually(lambda: minji.reply(frame_id))
    assert edge.rooms.bodies(room_id) == ["text", "file"]


async def test_a_file_that_is_not_stored_is_not_sent(edge: Edge):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    edge.media.problem = RateLimited("Too much.", retry_after=9)
    frame_id = upload(minji, room_id)
    refused: dict[str, Any] = await eventually(lambda: minji.reply(frame_id))
    assert (refused["code"], refused["detail"], refused["retry_after"]) == ("rate_limited", "Too much.", 9)
    assert (edge.rooms.done, minji.client.connection.unanswered) == ([], 0)


async def test_a_file_whose_message_rooms_refuses_is_refused(edge: Edge):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    edge.rooms.refusals[SendMessage] = Rejected(code="forbidden", detail="Blocked.")
    frame_id = upload(minji, room_id)
    refused: dict[str, Any] = await eventually(lambda: minji.reply(frame_id))
    assert (refused["op"], refused["code"], refused["detail"]) == ("error", "forbidden", "Blocked.")
    assert minji.client.connection.unanswered == 0


async def test_five_uploads_a_minute_over_all_connections_of_a_user():
    edge = Edge(limits={"rates": True})
    async with edge.running():
        room_id = edge.rooms.create("minji", "junho")
        first, second, junho = await edge.live("minji"), await edge.live("minji"), await edge.live("junho")
        for number in range(UPLOADS_A_MINUTE):
            frame_id = upload(person := (first, second)[number % 2], room_id)
            await eventually(lambda person=person, frame_id=frame_id: person.reply(frame_id))
        assert len(first.of("ok") + second.of("ok")) == UPLOADS_A_MINUTE
        frame_id, other_id = upload(second, room_id), upload(junho, room_id)
        refused: dict[str, Any] = await eventually(lambda: second.reply(frame_id))
        assert (refused["code"], refused["retry_after"]) == ("rate_limited", 60)
        await eventually(lambda: junho.of("ok"))
        assert len(edge.media.of("uploads")) == UPLOADS_A_MINUTE + 1
        edge.memory.away = True  # nobody is turned down for that
        frame_id, other_id = upload(first, room_id), upload(first, room_id)
        await eventually(lambda: first.reply(frame_id) and first.reply(other_id))
        assert len(edge.media.of("uploads")) == UPLOADS_A_MINUTE + 3


async def test_uploads_are_not_counted_where_rates_are_lifted(edge: Edge):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    for _ in range(UPLOADS_A_MINUTE + 2):
        upload(minji, room_id)
    await eventually(lambda: len(minji.of("ok")) == UPLOADS_A_MINUTE + 2)
    assert edge.memory.counters == {}
