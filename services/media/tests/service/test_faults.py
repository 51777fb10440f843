"""What fails half-way ends as `failed`, in time, and nothing of it is left; the same can be sent again."""

import asyncio
import os
import sys
from dataclasses import replace
from subprocess import DEVNULL, Popen

import httpx
import pytest
from sqlalchemy import update

from media.service.sweep import Sweep
from media.storage.bucket import open_bucket
from media.storage.tables import attachment
from shared.ids import new_id
from shared.testing.fixtures import eventually, on_each_database
from shared.testing.once import function_fixture, module_fixture, plain_client, wait_for_readiness
from shared.testing.servers import free_port, wait_for_port

from .conftest import client_of, started, with_settings

pytestmark = with_settings(straggler_s=0, orphan_s=0.2, wait_for_twin_s=0.2)
MIB = 1024 * 1024
DATA = b"\x01\x02some data" * 20_000


@module_fixture()
async def hasty_app(settings):
    """Another media on the same database and bucket, whose uploads have to end soon."""
    async with started(settings.model_copy(update={"upload_deadline_s": 0.5, "s3_read_timeout_s": 60})) as app:
        yield app


@function_fixture()
async def hasty(anna, hasty_app):
    """anna, who uses that one."""
    async with client_of(hasty_app) as client:
        client.headers["X-WebChat-Token"] = anna.media.headers["X-WebChat-Token"]
        yield replace(anna, media=client)


@function_fixture()
async def arrived(settings, s3_port):
    """The number of objects in the bucket, asked of S3 itself."""
    async with open_bucket(settings.model_copy(update={"s3_endpoint_url": f"http://127.0.0.1:{s3_port}"})) as bucket:

        async def arrived():
            return len(await bucket.list_after("", 1000))

        yield arrived


@pytest.fixture
def states(rows):
    async def states():
        return [row[0] for row in await rows("SELECT state FROM attachment ORDER BY id")]

    return states


async def pass_deadlines(deps):
    """Do what the passing of time does."""
    async with deps.database.write() as db:
        await db.execute(update(attachment).values(deadline_at=1))


@pytest.fixture
def swept(deps, rows, objects):
    """Lets the deadlines of all uploads pass, and sweeps until what stopped half-way is gone; `left` objects stay."""

    async def swept(left):
        await pass_deadlines(deps)

        async def clean():
            for _ in range(2):
                await Sweep(deps).run()
            states = {row[0] for row in await rows("SELECT state FROM attachment")}
            return states <= {"stored", "deleted"} and len(await objects()) == left

        await eventually(clean, 15)

    return swept


async def check_failure(someone, room, client_id, data=DATA):
    """An upload is refused in time, and may be sent again."""
    async with asyncio.timeout(25):
        answer = await someone.upload(data, "a.bin", room_id=room, client_id=client_id)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.headers["retry-after"]


async def test_s3_is_away(anna, app, wire, states, swept, rows):
    room, client_id = await anna.group(), new_id()
    wire.cut()
    await check_failure(anna, room, client_id)
    assert await states() == ["failed"]
    await wait_for_readiness(app, status="waiting", missing=["bucket"])
    wire.mend()
    made = await anna.stored(DATA, "a.bin", room_id=room, client_id=client_id)
    await swept(left=1)
    assert await rows("SELECT COUNT(*) FROM upload") == [(1,)]
    assert (await anna.content(made["attachment_id"])).content == DATA


@on_each_database
async def test_a_failed_upload_leaves_nothing(anna, hasty, wire, swept, rows):
    room = await anna.group()
    wire.cut()
    await check_failure(hasty, room, new_id())
    assert await rows("SELECT COUNT(*) FROM attachment") == [(1,)]
    wire.mend()
    await swept(left=0)
    assert await rows("SELECT COUNT(*) FROM attachment") == await rows("SELECT COUNT(*) FROM upload") == [(0,)]


def hold(wire, way):
    """Before the object is at S3, or when it is there: nothing goes on."""
    if way == "before":
        wire.open.clear()
    else:
        wire.silent_after = wire.passed + len(DATA) // 2


WAYS = pytest.mark.parametrize("way", ["before", "after"])


@WAYS
async def test_s3_does_not_answer(anna, hasty, wire, states, arrived, swept, way):
    room, client_id = await anna.group(), new_id()
    hold(wire, way)
    await check_failure(hasty, room, client_id)
    assert await states() == ["failed"]
    assert await arrived() == (1 if way == "after" else 0)
    wire.mend()
    made = await anna.stored(DATA, "a.bin", room_id=room, client_id=client_id)
    await swept(left=1)
    assert (await anna.content(made["attachment_id"])).content == DATA


async def test_s3_is_cut_off_in_the_midst_of_pieces(anna, wire, states, swept, deps):
    room, client_id, data = await anna.group(), new_id(), b"\x01piece" * (2 * MIB)
    wire.cut_after = wire.passed + 7 * MIB
    await check_failure(anna, room, client_id, data)
    assert await states() == ["failed"]
    wire.mend()
    made = await anna.stored(data, "a.bin", room_id=room, client_id=client_id)
    await swept(left=1)
    assert (await anna.content(made["attachment_id"])).content == data

    async def no_pieces():
        await Sweep(deps).run()
        answer = await deps.bucket._client.list_multipart_uploads(Bucket=deps.settings.aws_storage_bucket_name)
        return not answer.get("Uploads")

    await eventually(no_pieces)


async def test_reading_while_s3_is_away(anna, wire):
    room = await anna.group()
    made = await anna.stored(DATA, room_id=room)
    wire.cut()
    answer = await anna.content(made["attachment_id"])
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


def start_media(settings, port):
    """Another media on the same database, as a process that can be killed."""
    secrets = {
        "MEDIA_SERVICE_SECRET": settings.service_secret, "AWS_SECRET_ACCESS_KEY": settings.aws_secret_access_key,
        "DB_PASSWORD": settings.db_password,
    }  # fmt: skip
    names = ("webchat_data", "db_host", "db_port", "db_name", "db_username", "auth_url", "rooms_url",
             "s3_endpoint_url", "aws_access_key", "aws_storage_bucket_name", "upload_deadline_s")  # fmt: skip
    given = {name.upper(): str(value) for name in names if (value := getattr(settings, name)) is not None}
    environment = given | {name: secret.get_secret_value() for name, secret in secrets.items()}
    environment |= {"LISTEN_PORT": str(port), "REDIS_ENDPOINT": settings.redis_endpoint[0], "PATH": os.environ["PATH"]}
    command = [sys.executable, "-P", "-m", "media"]
    process = Popen(command, env=environment, stdin=DEVNULL, stdout=DEVNULL, cwd=settings.webchat_data)
    wait_for_port(port, process, 60)
    return process


@on_each_database
@WAYS
async def test_media_is_killed_in_between(anna, settings, deps, wire, states, arrived, swept, way):
    room, client_id, port = await anna.group(), new_id(), free_port()
    process = await asyncio.to_thread(start_media, settings, port)
    try:
        async with plain_client(f"http://127.0.0.1:{port}") as client:
            client.headers["X-WebChat-Token"] = anna.media.headers["X-WebChat-Token"]
            hold(wire, way)
            files, data = {"file": ("a.bin", DATA)}, {"room_id": room, "client_id": client_id}
            sending = asyncio.create_task(client.post("/api/media/attachments", files=files, data=data))
            await eventually(lambda: _are(states, ["pending"]))
            await eventually(lambda: _are(arrived, 1 if way == "after" else 0))
            process.kill()
            with pytest.raises(httpx.TransportError):
                await sending
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)
    wire.mend()
    assert await states() == ["pending"]
    busy = await anna.upload(DATA, "a.bin", room_id=room, client_id=client_id)
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
    await pass_deadlines(deps)
    if way == "after":
        await swept(left=0)
    made = await anna.stored(DATA, "a.bin", room_id=room, client_id=client_id)
    await swept(left=1)
    assert (await anna.content(made["attachment_id"])).content == DATA


async def _are(read, wanted):
    return await read() == wanted


async def test_a_request_that_is_given_up(anna, deps, wire, states, swept):
    room = await anna.group()
    wire.open.clear()
    sending = asyncio.create_task(anna.upload(DATA, room_id=room))
    await eventually(lambda: _are(states, ["pending"]))
    sending.cancel()
    await asyncio.wait([sending])
    assert await states() == ["failed"]
    wire.mend()
    await Sweep(deps).run()
    assert await states() == ["failed"]  # until its deadline something of it may arrive
    await swept(left=0)


@on_each_database
async def test_objects_that_no_row_knows_and_rows_without_object(anna, deps, swept, objects, rows, picture):
    room = await anna.group()
    made = await anna.stored(picture(), "a.png", room_id=room)
    kept = await objects()
    for key in ("a/left-behind", "a/left-behind.thumbnail", "other"):
        await deps.bucket._client.put_object(Bucket=deps.settings.aws_storage_bucket_name, Key=key, Body=b"x")
    assert len(await objects()) == 5
    await swept(left=2)
    assert await objects() == kept
    assert (await anna.content(made["attachment_id"])).status_code == 200


async def test_an_object_too_young_to_judge_stays(anna, deps, objects):
    young = deps.settings.model_copy(update={"orphan_s": 60})
    await deps.bucket._client.put_object(Bucket=deps.settings.aws_storage_bucket_name, Key="a/young", Body=b"x")
    await Sweep(replace(deps, settings=young)).run()
    assert await objects() == ["a/young"]
