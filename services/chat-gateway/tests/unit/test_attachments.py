"""Messages with attachments and uploads: ordering, errors and rate limits."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.contracts.media import AttachmentsRequest, UploadRequest
from shared.contracts.rooms import Rejected, SendMessage
from shared.errors import Forbidden, NotFound, RateLimited, Unavailable
from shared.ids import new_id
from shared.redis.person_rate import UPLOADS_OF_ONE
from shared.testing.fixtures import eventually

from ..harness import FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service


@pytest.fixture
async def harness() -> AsyncIterator[GatewayHarness]:
    harness = GatewayHarness()
    async with harness.running():
        yield harness


def send(client: FakeClient, room_id: str, body: str, *attachment_ids: str) -> str:
    return client.send(
        "message.send", room_id=room_id, client_id=new_id(), body=body, attachment_ids=list(attachment_ids)
    )


def upload(client: FakeClient, room_id: str, **fields: Any) -> str:
    return client.send(
        "file.upload", **{"room_id": room_id, "client_id": new_id(), "filename": "a.png", "data": "AAAA"} | fields
    )


async def test_a_message_carries_the_attachments_from_media(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji, files = await harness.connect("minji"), [harness.media.store("b.png"), harness.media.store("a.png")]
    ids = [file.attachment_id for file in files]
    reply = await minji.request("message.send", room_id=room_id, client_id=new_id(), body="two", attachment_ids=ids)
    assert (reply["op"], reply["seq"]) == ("ok", 1)
    [message] = harness.rooms.rooms[room_id].messages
    assert (message.body, message.attachments) == ("two", files)
    [request] = harness.media.requests_to("attachments")
    assert request == AttachmentsRequest(user_id="minji", room_id=room_id, attachment_ids=ids)


async def test_later_commands_of_the_room_are_deferred_and_those_of_other_rooms_are_not(harness: GatewayHarness):
    room_id, elsewhere = harness.rooms.create("minji"), harness.rooms.create("minji")
    minji, file = await harness.connect("minji"), harness.media.store()
    harness.media.pause()
    send(minji, room_id, "first", file.attachment_id)
    send(minji, room_id, "second", file.attachment_id)
    send(minji, room_id, "third")
    minji.send("message.edit", room_id=room_id, seq=1, body="fourth")
    send(minji, elsewhere, "now")
    await eventually(lambda: harness.rooms.bodies(elsewhere) == ["now"])
    assert harness.rooms.bodies(room_id) == []
    harness.media.resume()
    await eventually(lambda: len(minji.received("ok")) == 5)
    assert harness.rooms.bodies(room_id) == ["first", "second", "third"]
    assert type(harness.rooms.commands[-1]).__name__ == "EditMessage"
    assert (minji.connection.deferred, minji.connection.unanswered) == ({}, 0)


async def test_commands_of_another_connection_are_not_deferred(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    minji, junho = await harness.connect("minji"), await harness.connect("junho")
    harness.media.pause()
    send(minji, room_id, "late", harness.media.store().attachment_id)
    reply = await junho.request("message.send", room_id=room_id, client_id=new_id(), body="early")
    assert reply["seq"] == 1
    harness.media.resume()
    await eventually(lambda: harness.rooms.bodies(room_id) == ["early", "late"])


@pytest.mark.parametrize(
    ("error", "code", "retry_after"),
    [
        (NotFound("there is no such attachment."), "invalid", None),
        (Forbidden("not yours."), "forbidden", None),
        (RateLimited("too many.", retry_after=7), "rate_limited", 7),
    ],
)
async def test_a_message_that_media_rejects_fails_and_the_next_is_sent(
    harness: GatewayHarness, error: Any, code: str, retry_after: int | None
):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    harness.media.error = error
    first, second = send(minji, room_id, "first", new_id()), send(minji, room_id, "second")
    await eventually(lambda: minji.reply(second))
    rejected = minji.reply(first) or {}
    assert (rejected["code"], rejected["detail"], rejected.get("retry_after")) == (
        code, f"attachment_ids: {error.detail}", retry_after,
    )  # fmt: skip
    assert harness.rooms.bodies(room_id) == ["second"]
    assert (minji.connection.deferred, minji.connection.unanswered) == ({}, 0)


async def test_an_invalid_attachment_id_is_rejected_without_a_request_to_media(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    first, second = send(minji, room_id, "first", new_id(), "no-id"), send(minji, room_id, "second")
    await eventually(lambda: minji.reply(second))
    assert (minji.reply(first) or {})["code"] == "invalid"
    assert (harness.media.requests, harness.rooms.bodies(room_id)) == ([], ["second"])


async def test_if_media_is_unavailable_all_deferred_commands_fail_in_order(harness: GatewayHarness):
    room_id, elsewhere = harness.rooms.create("minji"), harness.rooms.create("minji")
    minji, file = await harness.connect("minji"), harness.media.store()
    harness.media.pause()
    harness.media.error = Unavailable("media is away")
    ids = [send(minji, room_id, "first", file.attachment_id), send(minji, room_id, "second")]
    other = send(minji, elsewhere, "other")
    harness.media.resume()
    await eventually(lambda: len(minji.received("error")) == 2 and minji.reply(other))
    rejected = [(frame["id"], frame["code"], frame["retry_after"]) for frame in minji.received("error")]
    assert rejected == [(frame_id, "unavailable", 1) for frame_id in ids]
    assert (harness.rooms.bodies(room_id), harness.rooms.bodies(elsewhere)) == ([], ["other"])
    assert (minji.connection.deferred, minji.connection.unanswered) == ({}, 0)
    harness.media.error = None
    again = await minji.request("message.send", room_id=room_id, client_id=new_id(), body="again", attachment_ids=[])
    assert again["seq"] == 1


# Uploads


async def test_an_upload_is_stored_and_then_sent_with_the_same_client_id(harness: GatewayHarness):
    room_id, client_id = harness.rooms.create("minji"), new_id().upper()
    minji = await harness.connect("minji")
    frame_id = upload(minji, room_id, client_id=client_id, filename="cat.png", data="AAAA", body="look")
    reply: dict[str, Any] = await eventually(lambda: minji.reply(frame_id))
    assert harness.media.requests_to("uploads") == [
        UploadRequest(user_id="minji", room_id=room_id, client_id=client_id.lower(), filename="cat.png", data="AAAA")
    ]
    [stored] = harness.media.stored.values()
    [message] = harness.rooms.rooms[room_id].messages
    assert (message.client_id, message.body, message.attachments) == (client_id.lower(), "look", [stored])
    assert (reply["op"], reply["seq"], reply["version"], reply["at"]) == ("ok", 1, message.version, message.at)
    assert reply["attachment"]["attachment_id"] == stored.attachment_id
    again: dict[str, Any] = await minji.request(
        "file.upload", room_id=room_id, client_id=client_id, filename="cat.png", data="AAAA", body="look"
    )
    assert (again["seq"], again["duplicate"]) == (1, True)


async def test_messages_are_not_deferred_while_a_file_is_stored(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    harness.media.pause()
    frame_id = upload(minji, room_id, body="file")
    assert (await minji.request("message.send", room_id=room_id, client_id=new_id(), body="text"))["seq"] == 1
    harness.media.resume()
    await eventually(lambda: minji.reply(frame_id))
    assert harness.rooms.bodies(room_id) == ["text", "file"]


async def test_a_file_that_is_not_stored_is_not_sent(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    harness.media.error = RateLimited("Too much.", retry_after=9)
    frame_id = upload(minji, room_id)
    rejected: dict[str, Any] = await eventually(lambda: minji.reply(frame_id))
    assert (rejected["code"], rejected["detail"], rejected["retry_after"]) == ("rate_limited", "Too much.", 9)
    assert (harness.rooms.commands, minji.connection.unanswered) == ([], 0)


async def test_if_rooms_rejects_the_message_the_upload_is_rejected(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    harness.rooms.rejections[SendMessage] = Rejected(code="forbidden", detail="Blocked.")
    frame_id = upload(minji, room_id)
    rejected: dict[str, Any] = await eventually(lambda: minji.reply(frame_id))
    assert (rejected["op"], rejected["code"], rejected["detail"]) == ("error", "forbidden", "Blocked.")
    assert minji.connection.unanswered == 0


async def test_an_upload_beyond_the_rate_of_its_user_is_not_passed_on():
    """Redis is unavailable here, so the gateway counts alone."""
    harness = GatewayHarness(limits={"rates": True})
    async with harness.running():
        room_id = harness.rooms.create("minji", "junho")
        first, second, junho = [await harness.connect(user) for user in ("minji", "minji", "junho")]
        for number in range(UPLOADS_OF_ONE.burst):
            upload((first, second)[number % 2], room_id)
        await eventually(lambda: len(first.received("ok") + second.received("ok")) == UPLOADS_OF_ONE.burst)
        frame_id = upload(second, room_id)
        rejected: dict[str, Any] = await eventually(lambda: second.reply(frame_id))
        assert (rejected["code"], rejected["retry_after"] >= 1) == ("rate_limited", True)
        upload(junho, room_id)
        await eventually(lambda: junho.received("ok"))
        assert len(harness.media.requests_to("uploads")) == UPLOADS_OF_ONE.burst + 1


async def test_uploads_are_not_counted_without_rate_limits(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    for _ in range(UPLOADS_OF_ONE.burst + 2):
        upload(minji, room_id)
    await eventually(lambda: len(minji.received("ok")) == UPLOADS_OF_ONE.burst + 2)
