"""The whole service: what `main` starts does its work, its limits are those of the settings, its end loses nothing.

Each test fails where one line of `main` is missing. What could hide that is far away: the sweep, for one, publishes
what the publisher left.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from rooms.operator_commands import forget_redis
from rooms.settings import RoomsSettings
from shared.contracts.media import Attachment
from shared.contracts.rooms import Accepted
from shared.events.rooms import AttachmentsReleased
from shared.events.social import UserBlocked
from shared.ids import new_id
from shared.roomlog.frames import parse_live
from shared.roomlog.keys import live_channel, log_key
from shared.roomlog.stream import read_since
from shared.streams.names import service_stream
from shared.testing.fixtures import eventually, on_servers, subscription
from shared.testing.forwarding import Forwarder, forwarding

A, B, C = (new_id() for _ in range(3))


@pytest.fixture
async def before_redis(redis_endpoint: list[str]) -> AsyncIterator[Forwarder]:
    async with forwarding(int(redis_endpoint[0].rpartition(":")[2])) as forwarder:
        yield forwarder


def endpoint(forwarder: Forwarder) -> list[str]:
    return [f"127.0.0.1:{forwarder.port}"]


async def tip(client: Any, redis: Redis, room: str) -> int:
    """The version at which the room's stream ends, seen past any forwarder."""
    return (await read_since(redis, client.deps.publisher.epoch, {room: 0}))[room].tip


async def first_sweep(client: Any) -> None:
    """Wait until the sweep of the start is complete: the next one is far away."""
    await eventually(lambda: client.house.rows("SELECT began_at FROM sweep WHERE began_at > 0"))


async def missing(client: Any) -> tuple[int, list[str], list[str]]:
    answer = await client.http.get("/readyz")
    told = answer.json()
    return answer.status_code, told["missing"], told.get("degraded", [])


@pytest.mark.empty_database
async def test_it_starts_on_an_empty_database(start: Any) -> None:
    async with start() as client:
        assert await missing(client) == (200, [], [])
        room = await client.group(A, B)
        assert [event.version for event in await client.house.events(room)] == [1, 2]


async def test_what_is_committed_is_published(start: Any, redis: Redis) -> None:
    async with start() as client:
        await first_sweep(client)
        room = await client.group(A)
        await client(A, "POST", f"/{room}/messages", {"client_id": new_id(), "body": "hi"})
        await eventually(lambda: reaches(client, redis, room, 2))


async def reaches(client: Any, redis: Redis, room: str, version: int) -> bool:
    return await tip(client, redis, room) == version


async def test_streams_that_are_lost_are_filled_by_the_sweep(start: Any, redis: Redis) -> None:
    async with start(sweep_s=0.02) as client:
        room = await client.group(A)
        await eventually(lambda: reaches(client, redis, room, 1))
        await redis.delete(log_key(client.deps.publisher.epoch, room))
        await eventually(lambda: reaches(client, redis, room, 1))


async def test_old_events_are_trimmed(start: Any) -> None:
    async with start(trim_s=0.02, event_days=1e-9) as client:
        await client.group(A)
        await eventually(lambda: no_events(client))
        assert (await client(A, "GET")).json()["items"] != []


async def no_events(client: Any) -> bool:
    return bool(await client.house.rows("SELECT COUNT(*) FROM room_event") == [(0,)])


async def test_files_that_are_let_go_are_told_to_media(start: Any, redis: Redis, media: Any) -> None:
    file = Attachment(attachment_id=new_id(), filename="f.txt", content_type="text/plain", size=3, url="/x")
    media.files[file.attachment_id] = file
    async with start() as client:
        room = await client.group(A)
        message = {"client_id": new_id(), "body": "", "attachment_ids": [file.attachment_id]}
        sent = await client(A, "POST", f"/{room}/messages", message)
        assert (sent.status_code, sent.json()["attachments"][0]["filename"]) == (201, "f.txt")
        [done] = await client.batch(client.house.delete(room, A, 1))
        assert isinstance(done, Accepted)
        [(_, fields)] = await eventually(lambda: redis.xrange(service_stream("rooms")))
    released = msgspec.json.decode(fields[b"payload"], type=AttachmentsReleased)
    assert (released.room_id, released.attachment_ids) == (room, [file.attachment_id])


async def test_files_that_media_does_not_have_are_not_sent_but_once_sent_is_enough(start: Any, media: Any) -> None:
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
    start: Any, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = UserBlocked(user_id=C, blocked_id=A, version=1)
    fields = {"topic": str(blocked.__struct_config__.tag), "payload": msgspec.json.encode(blocked)}
    async with start() as client, client.house.failing_commits():
        entry = await redis.xadd(service_stream("social"), fields)
        await eventually(lambda: f"event {entry.decode()} of {service_stream('social')} failed" in caplog.text)
    [group] = await redis.xinfo_groups(service_stream("social"))
    assert (group["name"], group["pending"]) == (b"rooms", 1)


async def test_without_auths_keys_it_is_not_ready(start: Any, auth: Any) -> None:
    async with start(auth_url="http://127.0.0.1:1") as client:
        assert await missing(client) == (503, ["keys of auth"], ["auth"])


async def test_without_auth_and_redis_it_goes_on(start: Any, auth: Any, redis: Redis, before_redis: Forwarder) -> None:
    async with start(redis_endpoint=endpoint(before_redis)) as client:
        room = await client.group(A)
        assert await missing(client) == (200, [], [])
        before_redis.close()
        auth.away = True
        assert await missing(client) == (200, [], ["redis", "auth"])
        sent = await client(A, "POST", f"/{room}/messages", {"client_id": new_id(), "body": "hi"})
        assert sent.status_code == 201
        await before_redis.open()
        auth.away = False
        await eventually(lambda: is_ready(client))
        await eventually(lambda: reaches(client, redis, room, 2))


async def is_ready(client: Any) -> bool:
    return await missing(client) == (200, [], [])


async def test_on_a_schema_of_before_it_is_not_ready(start: Any) -> None:
    async with start() as client:
        async with client.deps.database.write() as db:
            await db.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        assert await missing(client) == (503, ["schema"], [])


@on_servers
async def test_without_its_database_it_is_not_ready(start: Any, settings: RoomsSettings) -> None:
    async with forwarding(settings.db_port) as before, start(db_port=before.port) as client:
        room = await client.group(A)
        assert await missing(client) == (200, [], [])
        before.close()
        assert await missing(client) == (503, ["database", "schema"], [])
        assert (await client(A, "GET", f"/{room}")).status_code == 503
        await before.open()
        await eventually(lambda: is_ready(client))


@on_servers
async def test_at_its_end_no_connection_is_left(start: Any, settings: RoomsSettings, before_redis: Forwarder) -> None:
    async with forwarding(settings.db_port) as before:
        async with start(db_port=before.port, redis_endpoint=endpoint(before_redis)) as client:
            await client.group(A)
            assert before.count > 0
            await eventually(lambda: before_redis.count > 0)
        await eventually(lambda: before.count == before_redis.count == 0)


@on_servers
async def test_as_many_transactions_as_the_settings_say(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All wait for the room, which another transaction holds."""
    monkeypatch.setattr("rooms.service.committing.GROUP_WEIGHT", 1)
    async with start(writers=10, db_pool_size=12) as client:
        room = await client.group(A)
        waiting = (
            f"SELECT COUNT(*) FROM {client.house.process_list}"
            " WHERE db = DATABASE() AND command = 'Query' AND id <> CONNECTION_ID()"
        )
        async with client.deps.database.write() as db:
            await db.execute(text("SELECT id FROM room FOR UPDATE"))
            sending = [asyncio.create_task(client.batch(client.house.say(room, A))) for _ in range(20)]
            await eventually(lambda: are(client, waiting, 10))
        done = await asyncio.gather(*sending)
    assert sorted(one.seq for [one] in done) == list(range(1, 21))


async def are(client: Any, counted: str, number: int) -> bool:
    return bool(await client.house.rows(counted) == [(number,)])


async def test_more_than_may_wait_for_redis_is_left_to_be_repaired(start: Any, redis: Redis) -> None:
    """A batch's event comes from the tables, its cursor is not published."""
    async with start(publish_queue=1) as client:
        house = client.house
        room = await client.group(A, B)
        await client.batch(house.say(room, A))
        await client.batch(house.say(room, A))
        await eventually(lambda: reaches(client, redis, room, 4))
        async with subscription(redis, live_channel(client.deps.publisher.epoch, room)) as heard:
            await client.batch(house.say(room, A), house.read(room, B, 1))
            await eventually(lambda: reaches(client, redis, room, 5))
            await client.batch(house.read(room, B, 2))
            lives = [parse_live(await message(heard)) for _ in range(2)]
    assert [(live.first, live.flags) for live in lives] == [(5, b"-"), (0, b"r")]
    assert msgspec.json.decode(lives[1].data) == {B: 2}


async def message(heard: Any) -> bytes:
    """The next one that is published."""

    async def next_one() -> Any:
        found = await heard.get_message(timeout=1)
        return found if found is not None and found["type"] == "smessage" else None

    data: bytes = (await eventually(next_one))["data"]
    return data


async def test_history_waits_while_commands_do(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.service.committing.MAX_WAITING", 5)
    monkeypatch.setattr("rooms.service.committing.GROUP_WEIGHT", 1)
    async with start() as client:
        room = await client.group(A)
        async with client.deps.database.write():
            sending = [asyncio.create_task(client.batch(client.house.say(room, A))) for _ in range(5)]
            await eventually(lambda: status(client, room, 503))
        assert [type(one) for done in await asyncio.gather(*sending) for one in done] == [Accepted] * 5
        await eventually(lambda: status(client, room, 200))


async def status(client: Any, room: str, code: int) -> bool:
    return bool((await client(A, "GET", f"/{room}/messages")).status_code == code)


async def test_what_still_waits_at_the_end_is_published(
    start: Any, redis: Redis, before_redis: Forwarder, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis is back while the publisher still waits to try again: the end does not."""
    async with start(redis_endpoint=endpoint(before_redis)) as client:
        await first_sweep(client)
        room = await client.group(A)
        await eventually(lambda: reaches(client, redis, room, 1))
        before_redis.close()
        caplog.set_level(logging.WARNING, "shared.tasks")
        await client.batch(client.house.say(room, A))
        await eventually(lambda: failures(caplog, "publisher") == 2)
        await before_redis.open()
    assert await tip(client, redis, room) == 2


def failures(caplog: pytest.LogCaptureFixture, work: str) -> int:
    return len([record for record in caplog.records if record.getMessage().startswith(f"{work} failed")])


async def test_what_is_answered_at_the_end_is_what_is_stored(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end comes in the midst of forty batches: those that are done are there, those that are not are refused."""
    monkeypatch.setattr("rooms.service.committing.GROUP_WEIGHT", 1)
    async with start() as client:
        room = await client.group(A)
        sending = [asyncio.create_task(client.house.batch(client.house.say(room, A))) for _ in range(40)]
        await eventually(lambda: client.deps.committer.filled > 0)
    answers = [one for [one] in await asyncio.gather(*sending)]
    done = [one.seq for one in answers if isinstance(one, Accepted)]
    assert {one.code for one in answers if not isinstance(one, Accepted)} <= {"unavailable"}
    async with start() as client:
        events = await client.house.events(room)
        assert [event.seq for event in events[1:]] == sorted(done) == list(range(1, len(done) + 1))


async def test_the_operators_command_empties_redis(settings: RoomsSettings, redis: Redis) -> None:
    await redis.set("of another service", "x")
    assert await asyncio.to_thread(forget_redis, settings) == "Redis is empty"
    assert await redis.dbsize() == 0
