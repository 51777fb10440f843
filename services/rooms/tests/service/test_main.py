"""The complete service: `main` starts all background tasks, applies the settings, and shuts down without losses.

Each test fails if one line of `main` is missing. Tasks that could hide the failure are configured to run rarely: the
sweep, for example, would publish what a missing publisher did not.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from sqlalchemy import text

from rooms.operator_commands import forget_redis
from rooms.settings import RoomsSettings
from shared.contracts.media import Attachment
from shared.contracts.rooms import Accepted
from shared.events.rooms import AttachmentsReleased
from shared.events.social import UserBlocked
from shared.ids import new_id
from shared.roomlog.frames import parse_publication
from shared.roomlog.keys import live_channel, log_key
from shared.roomlog.stream import read_after
from shared.streams.names import service_stream
from shared.testing.fixtures import eventually, on_servers, subscription
from shared.testing.forwarding import Forwarder, forwarding

from .conftest import Client, FakeAuth, FakeMedia, Start

A, B, C = (new_id() for _ in range(3))


@pytest.fixture
async def redis_proxy(redis_endpoint: list[str]) -> AsyncIterator[Forwarder]:
    async with forwarding(int(redis_endpoint[0].rpartition(":")[2])) as forwarder:
        yield forwarder


def endpoint(forwarder: Forwarder) -> list[str]:
    return [f"127.0.0.1:{forwarder.port}"]


async def stream_head(client: Client, redis: Redis, room: str) -> int:
    """Return the newest version in the room's stream, without going through a proxy."""
    return (await read_after(redis, client.deps.publisher.epoch, {room: 0}))[room].head


async def wait_for_first_sweep(client: Client) -> None:
    """Wait for the sweep at the start. The next one runs after an hour."""
    await eventually(lambda: client.driver.rows("SELECT began_at FROM sweep WHERE began_at > 0"))


async def readiness(client: Client) -> tuple[int, list[str], list[str]]:
    response = await client.http.get("/readyz")
    body = response.json()
    return response.status_code, body["missing"], body.get("degraded", [])


@pytest.mark.empty_database
async def test_it_starts_on_an_empty_database(start: Start) -> None:
    async with start() as client:
        assert await readiness(client) == (200, [], [])
        room = await client.group(A, B)
        assert [event.version for event in await client.driver.events(room)] == [1, 2]


async def test_commits_are_published(start: Start, redis: Redis) -> None:
    async with start() as client:
        await wait_for_first_sweep(client)
        room = await client.group(A)
        await client(A, "POST", f"/{room}/messages", {"client_id": new_id(), "body": "hi"})
        await eventually(lambda: stream_ends_at(client, redis, room, 2))


async def stream_ends_at(client: Client, redis: Redis, room: str, version: int) -> bool:
    return await stream_head(client, redis, room) == version


async def test_the_sweep_fills_lost_streams(start: Start, redis: Redis) -> None:
    async with start(sweep_s=0.02) as client:
        room = await client.group(A)
        await eventually(lambda: stream_ends_at(client, redis, room, 1))
        await redis.delete(log_key(client.deps.publisher.epoch, room))
        await eventually(lambda: stream_ends_at(client, redis, room, 1))


async def test_old_events_are_trimmed(start: Start) -> None:
    async with start(trim_s=0.02, event_days=1e-9) as client:
        await client.group(A)
        await eventually(lambda: no_events(client))
        assert (await client(A, "GET")).json()["items"] != []


async def no_events(client: Client) -> bool:
    return bool(await client.driver.rows("SELECT COUNT(*) FROM room_event") == [(0,)])


async def test_unreferenced_attachments_are_published_to_media(start: Start, redis: Redis, media: FakeMedia) -> None:
    file = Attachment(attachment_id=new_id(), filename="f.txt", content_type="text/plain", size=3, url="/x")
    media.files[file.attachment_id] = file
    async with start() as client:
        room = await client.group(A)
        message = {"client_id": new_id(), "body": "", "attachment_ids": [file.attachment_id]}
        sent = await client(A, "POST", f"/{room}/messages", message)
        assert (sent.status_code, sent.json()["attachments"][0]["filename"]) == (201, "f.txt")
        [done] = await client.batch(client.driver.delete(room, A, 1))
        assert isinstance(done, Accepted)
        [(_, fields)] = await eventually(lambda: redis.xrange(service_stream("rooms")))
    released = msgspec.json.decode(fields[b"payload"], type=AttachmentsReleased)
    assert (released.room_id, released.attachment_ids) == (room, [file.attachment_id])


async def test_attachments_are_looked_up_only_for_the_first_send(start: Start, media: FakeMedia) -> None:
    file = Attachment(attachment_id=new_id(), filename="f.txt", content_type="text/plain", size=3, url="/x")
    message = {"client_id": new_id(), "body": "", "attachment_ids": [file.attachment_id]}
    async with start() as client:
        room = await client.group(A)
        assert (await client(A, "POST", f"/{room}/messages", message)).status_code == 404
        media.files[file.attachment_id] = file
        sent = await client(A, "POST", f"/{room}/messages", message)
        media.files.clear()
        again = await client(A, "POST", f"/{room}/messages", message)
    assert (sent.status_code, again.status_code) == (201, 200)
    assert sent.json() == again.json()


async def test_an_event_that_fails_is_not_acknowledged(
    start: Start, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = UserBlocked(user_id=C, blocked_id=A, version=1)
    fields = {"topic": str(blocked.__struct_config__.tag), "payload": msgspec.json.encode(blocked)}
    async with start() as client, client.driver.failing_commits():
        entry = await redis.xadd(service_stream("social"), fields)
        await eventually(lambda: f"event {entry.decode()} of {service_stream('social')} failed" in caplog.text)
    [group] = await redis.xinfo_groups(service_stream("social"))
    assert (group["name"], group["pending"]) == (b"rooms", 1)


async def test_not_ready_without_the_keys_of_auth(start: Start, auth: FakeAuth) -> None:
    async with start(auth_url="http://127.0.0.1:1") as client:
        assert await readiness(client) == (503, ["keys of auth"], ["auth"])


async def test_degraded_without_auth_and_redis(
    start: Start, auth: FakeAuth, redis: Redis, redis_proxy: Forwarder
) -> None:
    async with start(redis_endpoint=endpoint(redis_proxy)) as client:
        room = await client.group(A)
        assert await readiness(client) == (200, [], [])
        redis_proxy.close()
        auth.unavailable = True
        assert await readiness(client) == (200, [], ["redis", "auth"])
        sent = await client(A, "POST", f"/{room}/messages", {"client_id": new_id(), "body": "hi"})
        assert sent.status_code == 201
        await redis_proxy.open()
        auth.unavailable = False
        await eventually(lambda: is_ready(client))
        await eventually(lambda: stream_ends_at(client, redis, room, 2))


async def is_ready(client: Client) -> bool:
    return await readiness(client) == (200, [], [])


async def test_not_ready_with_an_old_schema(start: Start) -> None:
    async with start() as client:
        async with client.deps.database.write() as db:
            await db.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        assert await readiness(client) == (503, ["schema"], [])


@on_servers
async def test_not_ready_without_the_database(start: Start, settings: RoomsSettings) -> None:
    async with forwarding(settings.db_port) as database_proxy, start(db_port=database_proxy.port) as client:
        room = await client.group(A)
        assert await readiness(client) == (200, [], [])
        database_proxy.close()
        assert await readiness(client) == (503, ["database", "schema"], [])
        assert (await client(A, "GET", f"/{room}")).status_code == 503
        await database_proxy.open()
        await eventually(lambda: is_ready(client))


@on_servers
async def test_requests_end_while_the_database_hangs(
    start: Start, settings: RoomsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.web.request_budget.REQUEST_S", 0.3)
    monkeypatch.setattr("shared.database.engine.TRANSACTION_S", 1.0)
    async with forwarding(settings.db_port) as database_proxy, start(db_port=database_proxy.port) as client:
        room = await client.group(A)
        message = {"client_id": new_id(), "body": "hi"}
        database_proxy.hang()
        reading, sending = await asyncio.gather(
            client(A, "GET", f"/{room}"), client(A, "POST", f"/{room}/messages", message)
        )
        for response in (reading, sending):
            assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        database_proxy.resume()

        async def is_sent() -> bool:
            return (await client(A, "POST", f"/{room}/messages", message)).status_code in {200, 201}

        await eventually(is_sent)
        page = (await client(A, "GET", f"/{room}/messages")).json()
        assert [one["body"] for one in page["items"]] == ["hi"]


@on_servers
async def test_shutdown_closes_all_connections(start: Start, settings: RoomsSettings, redis_proxy: Forwarder) -> None:
    async with forwarding(settings.db_port) as database_proxy:
        async with start(db_port=database_proxy.port, redis_endpoint=endpoint(redis_proxy)) as client:
            await client.group(A)
            assert database_proxy.count > 0
            await eventually(lambda: redis_proxy.count > 0)
        await eventually(lambda: database_proxy.count == redis_proxy.count == 0)


@on_servers
async def test_the_settings_limit_concurrent_transactions(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """All transactions wait for the room, which another transaction has locked."""
    monkeypatch.setattr("rooms.service.pipeline.committer.MAX_GROUP_WEIGHT", 1)
    async with start(writers=10, db_pool_size=12) as client:
        room = await client.group(A)
        waiting = (
            f"SELECT COUNT(*) FROM {client.driver.process_list}"
            " WHERE db = DATABASE() AND command = 'Query' AND id <> CONNECTION_ID()"
        )
        async with client.deps.database.write() as db:
            await db.execute(text("SELECT id FROM room FOR UPDATE"))
            sending = [asyncio.create_task(client.batch(client.driver.send(room, A))) for _ in range(20)]
            await eventually(lambda: counts(client, waiting, 10))
        done = await asyncio.gather(*sending)
    assert sorted(one.seq for [one] in done) == list(range(1, 21))


async def counts(client: Client, counted: str, number: int) -> bool:
    return bool(await client.driver.rows(counted) == [(number,)])


async def test_a_full_publish_queue_is_repaired_from_the_database(start: Start, redis: Redis) -> None:
    """The event of the batch is published from the table. Its read cursor is not published."""
    async with start(publish_queue=1) as client:
        driver = client.driver
        room = await client.group(A, B)
        await client.batch(driver.send(room, A))
        await client.batch(driver.send(room, A))
        await eventually(lambda: stream_ends_at(client, redis, room, 4))
        async with subscription(redis, live_channel(client.deps.publisher.epoch, room)) as pubsub:
            await client.batch(driver.send(room, A), driver.read(room, B, 1))
            await eventually(lambda: stream_ends_at(client, redis, room, 5))
            await client.batch(driver.read(room, B, 2))
            lives = [parse_publication(await next_message(pubsub)) for _ in range(2)]
    assert [(live.first, live.flags) for live in lives] == [(5, b"-"), (0, b"r")]
    assert msgspec.json.decode(lives[1].data) == {B: 2}


async def next_message(pubsub: PubSub) -> bytes:
    async def next_one() -> dict[str, Any] | None:
        found = await pubsub.get_message(timeout=1)
        return found if found is not None and found["type"] == "smessage" else None

    data: bytes = (await eventually(next_one))["data"]
    return data


async def test_history_is_shed_while_commands_wait(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.service.pipeline.committer.MAX_WAITING_BATCHES", 5)
    monkeypatch.setattr("rooms.service.pipeline.committer.MAX_GROUP_WEIGHT", 1)
    async with start() as client:
        room = await client.group(A)
        async with client.deps.database.write():
            sending = [asyncio.create_task(client.batch(client.driver.send(room, A))) for _ in range(5)]
            await eventually(lambda: status(client, room, 503))
        assert [type(one) for done in await asyncio.gather(*sending) for one in done] == [Accepted] * 5
        await eventually(lambda: status(client, room, 200))


async def status(client: Client, room: str, code: int) -> bool:
    return bool((await client(A, "GET", f"/{room}/messages")).status_code == code)


async def test_shutdown_publishes_what_is_queued(
    start: Start, redis: Redis, redis_proxy: Forwarder, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis is available again while the publisher waits for its next attempt. The shutdown does not wait."""
    async with start(redis_endpoint=endpoint(redis_proxy)) as client:
        await wait_for_first_sweep(client)
        room = await client.group(A)
        await eventually(lambda: stream_ends_at(client, redis, room, 1))
        redis_proxy.close()
        caplog.set_level(logging.WARNING, "shared.tasks")
        await client.batch(client.driver.send(room, A))
        await eventually(lambda: failures(caplog, "publisher") == 2)
        await redis_proxy.open()
    assert await stream_head(client, redis, room) == 2


def failures(caplog: pytest.LogCaptureFixture, task: str) -> int:
    return len([record for record in caplog.records if record.getMessage().startswith(f"{task} failed")])


async def test_answers_during_shutdown_match_the_database(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process stops during forty batches. Acknowledged ones are stored, all others are rejected."""
    monkeypatch.setattr("rooms.service.pipeline.committer.MAX_GROUP_WEIGHT", 1)
    async with start() as client:
        room = await client.group(A)
        sending = [asyncio.create_task(client.driver.batch(client.driver.send(room, A))) for _ in range(40)]
        await eventually(lambda: client.deps.committer.fill_level > 0)
    answers = [one for [one] in await asyncio.gather(*sending)]
    done = [one.seq for one in answers if isinstance(one, Accepted)]
    assert {one.code for one in answers if not isinstance(one, Accepted)} <= {"unavailable"}
    async with start() as client:
        events = await client.driver.events(room)
        assert [event.seq for event in events[1:]] == sorted(done) == list(range(1, len(done) + 1))


async def test_forget_redis_empties_redis(settings: RoomsSettings, redis: Redis) -> None:
    await redis.set("of another service", "x")
    assert await asyncio.to_thread(forget_redis, settings) == "Redis is empty"
    assert await redis.dbsize() == 0
