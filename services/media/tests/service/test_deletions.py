"""Deletion of unreferenced attachments: hidden at once, then the object, with an entry in the deletion log."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from media.consumers import on_rooms
from media.service.sweep import Sweep
from shared.events.rooms import AttachmentsReleased
from shared.ids import new_id, now_ms
from shared.streams.names import service_stream
from shared.testing.fixtures import eventually, on_both_engines, on_each_database

from .conftest import Rows


@pytest.fixture
def deletion_log(rows: Rows) -> Callable[[], Awaitable[list[tuple[Any, ...]]]]:
    async def deletion_log() -> list[tuple[Any, ...]]:
        return await rows("SELECT cause, size, deleted_at IS NULL FROM deletion_receipt ORDER BY attachment_id")

    return deletion_log


def released(room, *made):
    return AttachmentsReleased(room_id=room, attachment_ids=[one["attachment_id"] for one in made], at=now_ms())


@on_both_engines
async def test_an_event_deletes_an_attachment(anna, redis, objects, deletion_log, picture):
    room = await anna.group()
    gone, kept = await anna.stored(picture(), "a.png", room_id=room), await anna.stored(b"b", room_id=room)
    event = msgspec.json.encode(released(room, gone))
    await redis.xadd(service_stream("rooms"), {"topic": "attachments.released", "payload": event})

    async def is_gone():
        return (await anna.content(gone["attachment_id"])).status_code == 404

    await eventually(is_gone)
    await eventually(lambda: is_logged(deletion_log, gone["size"]))
    assert len(await objects()) == 1
    assert (await anna.content(kept["attachment_id"])).status_code == 200


async def is_logged(deletion_log, size):
    return await deletion_log() == [("attachments.released", size, 0)]


@on_each_database
async def test_deleting_is_idempotent_and_limited_to_the_room(anna, deps, deletion_log, rows, objects):
    room, other = await anna.group(), await anna.group()
    made = await anna.stored(b"a", room_id=room, client_id=new_id())
    await on_rooms(deps, released(other, made))
    assert (await anna.content(made["attachment_id"])).status_code == 200
    for _ in range(2):
        await on_rooms(deps, released(room, made))
    assert await deletion_log() == [("attachments.released", 1, 0)]
    assert await rows("SELECT state, filename FROM attachment") == [("deleted", "")]
    assert await objects() == []


@on_each_database
async def test_an_object_shared_with_another_row_stays(anna, deps, objects):
    room = await anna.group()
    first, second = [await anna.stored(b"same", name, room_id=room) for name in ("a.txt", "b.txt")]
    await on_rooms(deps, released(room, first))
    assert len(await objects()) == 1
    assert (await anna.content(second["attachment_id"])).content == b"same"
    await on_rooms(deps, released(room, second))
    assert await objects() == []


@on_each_database
async def test_a_deleted_file_can_be_stored_again(anna, deps):
    room, client_id = await anna.group(), new_id()
    first = await anna.stored(b"a", room_id=room, client_id=client_id)
    await on_rooms(deps, released(room, first))
    assert await anna.stored(b"a", room_id=room, client_id=client_id) == first
    assert (await anna.upload(b"b", room_id=room, client_id=client_id)).status_code == 409
    again = await anna.stored(b"a", room_id=room, client_id=new_id())
    assert again["attachment_id"] != first["attachment_id"]
    assert (await anna.content(again["attachment_id"])).content == b"a"


@on_each_database
async def test_the_sweep_finishes_deletions_after_an_outage_of_s3(anna, deps, proxy, deletion_log, objects):
    room = await anna.group()
    made = await anna.stored(b"a", room_id=room)
    proxy.cut()
    with pytest.raises(Exception, match="onnect"):
        await on_rooms(deps, released(room, made))
    assert (await anna.content(made["attachment_id"])).status_code == 404
    assert await deletion_log() == [("attachments.released", 1, 1)]
    proxy.restore()
    await Sweep(deps).run()
    assert await deletion_log() == [("attachments.released", 1, 0)]
    assert await objects() == []


@on_each_database
async def test_avatars_of_a_closed_account_are_deleted(anna, berta, deletion_log, picture, objects, trail):
    room = await anna.group(berta)
    avatar = await anna.stored(picture(), "me.png")
    attached = await anna.stored(b"attached", room_id=room)
    await anna.close()

    async def is_gone():
        return (await berta.content(avatar["attachment_id"])).status_code == 404 and len(await objects()) == 1

    await eventually(is_gone)
    assert [one[0] for one in await deletion_log()] == ["user.closed"]
    assert (await berta.content(attached["attachment_id"])).content == b"attached"
    trail.clear()
    assert (await anna.upload(picture(), "again.png")).status_code == 403
    assert [line["event.action"] for line in trail].count("upload-refuse") == 1


@on_each_database
async def test_an_avatar_that_is_being_uploaded_while_the_account_closes(anna, deps, proxy, rows, picture, objects):
    proxy.open.clear()
    sending = asyncio.create_task(anna.upload(picture(), "me.png"))

    async def is_pending():
        return await rows("SELECT state FROM attachment") == [("pending",)]

    await eventually(is_pending)
    await anna.close()

    async def is_failed():
        return await rows("SELECT state FROM attachment") == [("failed",)]

    await eventually(is_failed)
    proxy.restore()
    assert (await sending).status_code == 503
    assert await rows("SELECT state FROM attachment") == [("failed",)]
