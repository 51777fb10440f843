"""The life cycle of attachments, with a real rooms: upload, send, read, delete."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from shared.ids import new_id
from shared.streams.names import service_stream
from shared.testing.fixtures import eventually, on_each_database
from shared.testing.once import function_fixture, plain_client

from .conftest import SECRET, Person, Urls

pytestmark = [on_each_database, pytest.mark.usefixtures("listening")]


@pytest.fixture
def send(anna: Person) -> Callable[..., Awaitable[httpx.Response]]:
    async def send(room: str, *made: dict[str, Any], client_id: str | None = None, **fields: object) -> httpx.Response:
        body = {"client_id": client_id or new_id(), "attachment_ids": [one["attachment_id"] for one in made], **fields}
        return await anna.rooms.post(f"/api/rooms/{room}/messages", json=body)

    return send


@function_fixture()
async def delete(urls: Urls) -> AsyncIterator[Callable[[Person, str, int], Awaitable[None]]]:
    """Delete messages as a gateway does."""
    async with plain_client("") as client:
        body = {"service": "chat-gateway", "secret": SECRET, "audience": "rooms"}
        token = (await client.post(f"{urls['auth_url']}/internal/token", json=body)).json()["token"]

        async def delete(person: Person, room: str, seq: int) -> None:
            command = {
                "op": "message.delete", "command_id": new_id(), "room_id": room, "user_id": person.user_id, "seq": seq,
            }  # fmt: skip
            answer = await client.post(
                f"{urls['rooms_url']}/internal/commands", headers={"X-WebChat-Token": token},
                json={"budget_ms": 5000, "commands": [command]},
            )  # fmt: skip
            assert answer.json()["results"][0]["type"] == "done"

        yield delete


async def test_a_message_with_files(anna, berta, send, picture):
    room = await anna.group(berta)
    made = [await anna.stored(picture(), "a.png", room_id=room), await anna.stored(b"b", "b.txt", room_id=room)]
    answer = await send(room, *made)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["kind"], answer.json()["body"], answer.json()["attachments"]) == ("file", "", made)
    page = (await berta.rooms.get(f"/api/rooms/{room}/messages")).json()
    assert page["items"][-1]["attachments"] == made


async def test_only_own_files_of_the_room_can_be_sent(anna, berta, send):
    room, other = await anna.group(berta), await anna.group(berta)
    theirs, elsewhere = await berta.stored(b"x", room_id=room), await anna.stored(b"y", room_id=other)
    for wrong in (theirs, elsewhere, {"attachment_id": new_id()}, {"attachment_id": "x"}):
        assert (await send(room, wrong)).status_code == 404
    assert (await send(room, *[{"attachment_id": new_id()}] * 11)).status_code == 422
    assert (await send(room)).status_code == 422


async def test_a_retry_with_the_same_client_id(anna, send):
    room, client_id = await anna.group(), new_id()
    made = await anna.stored(b"x", room_id=room)
    first = await send(room, made, client_id=client_id)
    again = await send(room, made, client_id=client_id)
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    other = await anna.stored(b"y", room_id=room)
    for wrong in (other, {"attachment_id": "x"}):
        assert (await send(room, wrong, client_id=client_id)).status_code == 409


async def test_a_file_is_deleted_with_its_last_message(anna, send, delete, objects, rows):
    room, client_id = await anna.group(), new_id()
    made, kept = await anna.stored(b"x", room_id=room), await anna.stored(b"kept", room_id=room)
    first, _ = await send(room, made, client_id=client_id), await send(room, made, kept)
    await delete(anna, room, 1)
    await delete(anna, room, 2)

    async def gone():
        return await rows("SELECT cause FROM deletion_receipt WHERE deleted_at IS NOT NULL") == [
            ("attachments.released",), ("attachments.released",)
        ]  # fmt: skip

    await eventually(gone, 30)
    assert await objects() == []
    assert (await anna.content(made["attachment_id"])).status_code == 404
    assert (await send(room, made)).status_code == 404
    again = await send(room, made, client_id=client_id)
    assert (again.status_code, again.json()["seq"], again.json()["deleted"]) == (200, first.json()["seq"], True)


async def test_a_file_stays_until_its_last_message_is_deleted(anna, send, delete, rows, redis):
    room = await anna.group()
    made, marker = await anna.stored(b"x", room_id=room), await anna.stored(b"marker", room_id=room)
    for _ in range(2):
        await send(room, made)
    await send(room, marker)
    await delete(anna, room, 1)
    await delete(anna, room, 3)

    async def marker_is_gone():
        return (await anna.content(marker["attachment_id"])).status_code == 404

    await eventually(marker_is_gone, 30)
    assert (await anna.content(made["attachment_id"])).content == b"x"


async def test_the_same_file_can_be_sent_before_media_processes_its_deletion(anna, send, delete, redis):
    room = await anna.group()
    made = await anna.stored(b"x", room_id=room)
    await send(room, made)
    await redis.client_pause(60_000, all=False)  # media receives no event meanwhile
    try:
        await delete(anna, room, 1)
        again = await anna.stored(b"x", room_id=room)
        assert again["attachment_id"] != made["attachment_id"]
        assert (await send(room, again)).status_code == 201
    finally:
        await redis.client_unpause()

    async def has_processed():
        [media] = [group for group in await redis.xinfo_groups(service_stream("rooms")) if group["name"] == b"media"]
        return (media["pending"], media["lag"]) == (0, 0)

    await eventually(has_processed, 30)
    assert (await anna.content(again["attachment_id"])).content == b"x"
