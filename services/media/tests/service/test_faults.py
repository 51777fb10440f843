"""Interrupted uploads end as `failed` in time, leave nothing behind, and can be repeated."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from subprocess import DEVNULL, Popen

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from media.service.dependencies import Dependencies, bucket_options
from media.service.sweep import Sweep
from media.settings import MediaSettings
from media.storage.bucket import open_bucket
from media.storage.tables import attachment
from shared.ids import new_id
from shared.testing.fixtures import eventually, on_each_database
from shared.testing.once import function_fixture, module_fixture, plain_client, wait_for_readiness
from shared.testing.servers import free_port, wait_for_port

from .conftest import Person, Rows, client_of, started, with_settings

pytestmark = with_settings(straggler_s=0, orphan_s=0.2, wait_for_twin_s=0.2)
MIB = 1024 * 1024
DATA = b"\x01\x02some data" * 20_000


@module_fixture()
async def app_with_short_deadline(settings: MediaSettings) -> AsyncIterator[FastAPI]:
    """Another media on the same database and bucket, with a short deadline for uploads."""
    async with started(settings.model_copy(update={"upload_deadline_s": 0.5, "s3_read_timeout_s": 60})) as app:
        yield app


@function_fixture()
async def anna_with_short_deadline(anna: Person, app_with_short_deadline: FastAPI) -> AsyncIterator[Person]:
    """Anna as a client of that application."""
    async with client_of(app_with_short_deadline) as client:
        client.headers["X-WebChat-Token"] = anna.media.headers["X-WebChat-Token"]
        yield replace(anna, media=client)


@function_fixture()
async def count_objects(settings: MediaSettings, s3_port: int) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Count the objects in the bucket, directly at S3."""
    options = replace(bucket_options(settings), endpoint_url=f"http://127.0.0.1:{s3_port}")
    async with open_bucket(options) as bucket:

        async def count_objects() -> int:
            return len(await bucket.list_after("", 1000))

        yield count_objects


@pytest.fixture
def states(rows: Rows) -> Callable[[], Awaitable[list[str]]]:
    async def states() -> list[str]:
        return [row[0] for row in await rows("SELECT state FROM attachment ORDER BY id")]

    return states


async def pass_deadlines(deps: Dependencies) -> None:
    """Let the deadlines of all uploads pass."""
    async with deps.database.write() as db:
        await db.execute(update(attachment).values(deadline_at=1))


@pytest.fixture
def sweep_until(
    deps: Dependencies, rows: Rows, objects: Callable[[], Awaitable[list[str]]]
) -> Callable[[int], Awaitable[None]]:
    """Let all deadlines pass, and sweep until incomplete uploads are removed and `left` objects remain."""

    async def sweep_until(left: int) -> None:
        await pass_deadlines(deps)

        async def clean() -> bool:
            for _ in range(2):
                await Sweep(deps).run()
            states = {row[0] for row in await rows("SELECT state FROM attachment")}
            return states <= {"stored", "deleted"} and len(await objects()) == left

        await eventually(clean, 15)

    return sweep_until


async def check_failure(person, room, client_id, data=DATA):
    """Check that an upload fails in time with 503 and Retry-After."""
    async with asyncio.timeout(25):
        answer = await person.upload(data, "a.bin", room_id=room, client_id=client_id)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.headers["retry-after"]


async def test_an_outage_of_s3(anna, app, proxy, states, sweep_until, rows):
    room, client_id = await anna.group(), new_id()
    proxy.cut()
    await check_failure(anna, room, client_id)
    assert await states() == ["failed"]
    await wait_for_readiness(app, status="waiting", missing=["bucket"])
    proxy.restore()
    made = await anna.stored(DATA, "a.bin", room_id=room, client_id=client_id)
    await sweep_until(left=1)
    assert await rows("SELECT COUNT(*) FROM upload") == [(1,)]
    assert (await anna.content(made["attachment_id"])).content == DATA


@on_each_database
async def test_a_failed_upload_leaves_nothing(anna, anna_with_short_deadline, proxy, sweep_until, rows):
    room = await anna.group()
    proxy.cut()
    await check_failure(anna_with_short_deadline, room, new_id())
    assert await rows("SELECT COUNT(*) FROM attachment") == [(1,)]
    proxy.restore()
    await sweep_until(left=0)
    assert await rows("SELECT COUNT(*) FROM attachment") == await rows("SELECT COUNT(*) FROM upload") == [(0,)]


def stop(proxy, when):
    """Stop the connection to S3 before the object arrives, or before the answer does."""
    if when == "before":
        proxy.open.clear()
    else:
        proxy.silent_after = proxy.passed + len(DATA) // 2


BEFORE_AND_AFTER = pytest.mark.parametrize("when", ["before", "after"])


@BEFORE_AND_AFTER
async def test_s3_does_not_answer(anna, anna_with_short_deadline, proxy, states, count_objects, sweep_until, when):
    room, client_id = await anna.group(), new_id()
    stop(proxy, when)
    await check_failure(anna_with_short_deadline, room, client_id)
    assert await states() == ["failed"]
    assert await count_objects() == (1 if when == "after" else 0)
    proxy.restore()
    made = await anna.stored(DATA, "a.bin", room_id=room, client_id=client_id)
    await sweep_until(left=1)
    assert (await anna.content(made["attachment_id"])).content == DATA


async def test_the_connection_to_s3_is_lost_during_a_multipart_upload(anna, settings, proxy, states, sweep_until, deps):
    room, client_id, data = await anna.group(), new_id(), b"\x01piece" * (2 * MIB)
    proxy.cut_after = proxy.passed + 7 * MIB
    await check_failure(anna, room, client_id, data)
    assert await states() == ["failed"]
    proxy.restore()
    made = await anna.stored(data, "a.bin", room_id=room, client_id=client_id)
    await sweep_until(left=1)
    assert (await anna.content(made["attachment_id"])).content == data

    async def no_multipart_uploads():
        await Sweep(deps).run()
        answer = await deps.bucket._client.list_multipart_uploads(Bucket=settings.aws_storage_bucket_name)
        return not answer.get("Uploads")

    await eventually(no_multipart_uploads)


async def test_reading_during_an_outage_of_s3(anna, proxy):
    room = await anna.group()
    made = await anna.stored(DATA, room_id=room)
    proxy.cut()
    answer = await anna.content(made["attachment_id"])
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


def start_media(settings, port):
    """Start another media on the same database, in a process that can be killed."""
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
@BEFORE_AND_AFTER
async def test_media_is_killed_during_an_upload(anna, settings, deps, proxy, states, count_objects, sweep_until, when):
    room, client_id, port = await anna.group(), new_id(), free_port()
    process = await asyncio.to_thread(start_media, settings, port)
    try:
        async with plain_client(f"http://127.0.0.1:{port}") as client:
            client.headers["X-WebChat-Token"] = anna.media.headers["X-WebChat-Token"]
            stop(proxy, when)
            files, data = {"file": ("a.bin", DATA)}, {"room_id": room, "client_id": client_id}
            sending = asyncio.create_task(client.post("/api/media/attachments", files=files, data=data))
            await eventually(lambda: _equals(states, ["pending"]))
            await eventually(lambda: _equals(count_objects, 1 if when == "after" else 0))
            process.kill()
            with pytest.raises(httpx.TransportError):
                await sending
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)
    proxy.restore()
    assert await states() == ["pending"]
    busy = await anna.upload(DATA, "a.bin", room_id=room, client_id=client_id)
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
    await pass_deadlines(deps)
    if when == "after":
        await sweep_until(left=0)
    made = await anna.stored(DATA, "a.bin", room_id=room, client_id=client_id)
    await sweep_until(left=1)
    assert (await anna.content(made["attachment_id"])).content == DATA


async def _equals(read, wanted):
    return await read() == wanted


async def test_a_cancelled_request(anna, deps, proxy, states, sweep_until):
    room = await anna.group()
    proxy.open.clear()
    sending = asyncio.create_task(anna.upload(DATA, room_id=room))
    await eventually(lambda: _equals(states, ["pending"]))
    sending.cancel()
    await asyncio.wait([sending])
    assert await states() == ["failed"]
    proxy.restore()
    await Sweep(deps).run()
    assert await states() == ["failed"]  # until its deadline a late write may arrive
    await sweep_until(left=0)


@on_each_database
async def test_orphaned_objects_are_deleted(anna, settings, deps, sweep_until, objects, rows, picture):
    room = await anna.group()
    made = await anna.stored(picture(), "a.png", room_id=room)
    kept = await objects()
    for key in ("a/left-behind", "a/left-behind.thumbnail", "other"):
        await deps.bucket._client.put_object(Bucket=settings.aws_storage_bucket_name, Key=key, Body=b"x")
    assert len(await objects()) == 5
    await sweep_until(left=2)
    assert await objects() == kept
    assert (await anna.content(made["attachment_id"])).status_code == 200


async def test_a_young_orphan_stays(settings, deps, objects):
    patient = replace(deps, cleanup=replace(deps.cleanup, orphan_ms=60_000))
    await deps.bucket._client.put_object(Bucket=settings.aws_storage_bucket_name, Key="a/young", Body=b"x")
    await Sweep(patient).run()
    assert await objects() == ["a/young"]
