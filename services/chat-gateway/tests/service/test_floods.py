"""A client that sends as much as it can delays nobody else, and is disconnected."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest
from redis.asyncio import Redis

from chat_gateway.transport.frame_parser import FrameParser
from chat_gateway.transport.input import Input
from chat_gateway.transport.socket import Socket
from shared.logging.context import log_fields
from shared.metrics import REGISTRY
from shared.rpc.tokens import TOKEN_HEADER
from shared.testing.fixtures import eventually
from shared.testing.websocket_client import BINARY, CONT, PING, PONG, TEXT, RawClient, close_frame, frame, raw_client

from .test_socket import ServedGateway, say_hello, served

FLOODS = {
    "pings": frame(PING),
    "pongs": frame(PONG, b"x"),
    "empty fragments": frame(CONT, final=False),
    "ordinary frames": frame(TEXT, b'{"op":"ping","id":"1"}'),
    "frames that are not JSON": frame(TEXT, b"x"),
}
OPENING = {"empty fragments": frame(TEXT, final=False)}
LARGEST_READ = 256 * 1024
"""The most that asyncio and uvloop read at once."""

floods = pytest.mark.parametrize("kind", FLOODS)


@asynccontextmanager
async def attacker(gateway: ServedGateway) -> AsyncIterator[tuple[RawClient, Socket]]:
    """A client that may send anything, and its socket."""
    others = set(gateway.state.connections)
    async with raw_client(gateway.url, {TOKEN_HEADER: "good"}) as client:
        await client.send(frame(TEXT, b'{"op":"hello"}'))
        assert b'"op":"ready"' in (await client.receive()).payload
        [socket] = set(gateway.state.connections) - others
        assert isinstance(socket, Socket)
        yield client, socket


def closed_by_policy() -> float:
    return REGISTRY.get_sample_value("webchat_sockets_closed_total", {"reason": "policy_violation"}) or 0


@floods
async def test_a_flood_is_processed_in_turns_of_a_few_frames(redis: Redis, kind: str):
    async with served(redis, malformed_per_minute=10**9) as gateway, attacker(gateway) as (_, socket):
        flood = FLOODS[kind]
        socket.data_received(OPENING.get(kind, b"") + flood * 500)
        unread = [socket._parser.unread]
        while unread[-1]:
            assert socket._reading_paused
            for _ in range(3):  # answers may wake a socket any number of times
                socket.wake()
            await asyncio.sleep(0)
            unread.append(socket._parser.unread)
        assert max(before - after for before, after in pairwise(unread)) <= 16 * len(flood)
        assert Input.TURN_FRAMES == 16
        await eventually(lambda: not socket._reading_paused)


async def test_a_large_message_is_processed_in_turns_of_64_kib(redis: Redis):
    async with served(redis) as gateway, attacker(gateway) as (_, socket):
        data = frame(BINARY, bytes(1024 * 1024))
        socket.data_received(data)
        unread = [len(data), socket._parser.unread]
        while unread[-1]:
            await asyncio.sleep(0)
            unread.append(socket._parser.unread)
        steps = [before - after for before, after in pairwise(unread)]
        assert max(steps) <= 2 * Input.TURN_BYTES  # a part of the payload, and the head with the next part
        assert sum(steps) == len(data)


@floods
async def test_others_are_answered_while_a_flood_is_processed(redis: Redis, kind: str):
    options = {"malformed_per_minute": 10**9}
    async with served(redis, **options) as gateway, gateway.connect() as other, attacker(gateway) as (_, socket):
        await say_hello(other)
        socket.data_received(OPENING.get(kind, b"") + FLOODS[kind] * 20_000)
        for number in range(5):
            await other.send(f'{{"op":"ping","id":"{number}"}}')
            assert f'"id":"{number}"' in str(await other.recv())
        assert socket._parser.unread > 0
        socket._transport.abort()


async def test_no_more_is_read_than_is_processed(redis: Redis, monkeypatch: pytest.MonkeyPatch):
    unread: list[int] = []
    feed = FrameParser.feed

    def count(self: FrameParser, data: bytes) -> None:
        feed(self, data)
        unread.append(self.unread)

    monkeypatch.setattr(FrameParser, "feed", count)
    async with served(redis) as gateway, attacker(gateway) as (client, _):
        pongs = 50_000
        sending = asyncio.create_task(client.send(*[frame(PING) * 1000] * (pongs // 1000)))
        for _ in range(pongs):
            assert (await client.receive()).opcode == PONG
        await sending
        assert max(unread) <= LARGEST_READ + 6


BURST = {"rates": True, "control_burst": 5, "fragment_burst": 5, "burst": 5, "excess_frames": 3}
NO_REFILL = {"control_frames_per_second": 0, "fragments_per_second": 0, "frames_per_second": 0}


@pytest.mark.parametrize(
    ("kind", "answers"),
    [("pings", 5), ("pongs", 0), ("empty fragments", 0), ("ordinary frames", 7), ("frames that are not JSON", 7)],
)
async def test_a_flood_is_answered_a_few_times_and_closed_with_1008(redis: Redis, kind: str, answers: int):
    """`hello` takes one of the tokens of frames."""
    before = closed_by_policy()
    async with served(redis, **BURST, **NO_REFILL) as gateway, attacker(gateway) as (client, socket):
        flood = asyncio.create_task(client.send(OPENING.get(kind, b""), *[FLOODS[kind] * 1000] * 20))
        received = await client.receive_all()
        assert (len(received) - 1, received[-1].code) == (answers, 1008)
        assert closed_by_policy() == before + 1
        await eventually(lambda: socket not in gateway.state.connections)
        flood.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await flood


async def test_the_log_names_the_user_who_floods(redis: Redis, caplog: pytest.LogCaptureFixture):
    users: list[str | None] = []
    caplog.handler.addFilter(lambda _: users.append(log_fields().get("user.id")) or True)  # type: ignore[func-returns-value]
    async with served(redis, **BURST, **NO_REFILL) as gateway, attacker(gateway) as (client, _):
        await client.send(frame(PING) * 10)
        await client.receive_all()
    [line] = [number for number, record in enumerate(caplog.records) if "too much" in record.message]
    assert caplog.messages[line] == "a client that sends too much was disconnected: more pings than allowed"
    assert users[line] == "minji"


@pytest.mark.parametrize("kind", ["pings", "pongs", "empty fragments", "ordinary frames"])
async def test_a_burst_up_to_the_limit_stays_connected(redis: Redis, kind: str):
    fragment = OPENING.get(kind, b"")
    count = 4 if fragment or kind == "ordinary frames" else 5  # one was taken by `hello` or by the first fragment
    async with served(redis, **BURST, **NO_REFILL) as gateway, attacker(gateway) as (client, socket):
        await client.send(fragment, FLOODS[kind] * count, frame(CONT, b"x") if fragment else b"")
        await eventually(lambda: not socket._parser.unread)
        await client.send(frame(TEXT, b'{"op":"ping","id":"last"}'))
        answer = await client.receive()
        while answer.opcode == PONG or answer.json.get("id") != "last":
            answer = await client.receive()
        assert not socket._closing


async def test_more_bytes_than_allowed_close_the_socket(redis: Redis):
    limits: dict[str, Any] = {"rates": True, "byte_burst": 300_000, "bytes_per_second": 0}
    async with served(redis, **limits) as gateway, attacker(gateway) as (client, _):
        flood = asyncio.create_task(client.send(frame(BINARY, bytes(1_000_000))))
        assert (await client.receive_all())[-1].code == 1008
        with suppress(ConnectionError):
            await flood


async def test_an_upload_of_the_largest_size_is_read_at_once(redis: Redis):
    """The rates for bytes and fragments allow it."""
    async with served(redis, rates=True) as gateway, attacker(gateway) as (client, _):
        upload = json.dumps({"op": "file.upload", "id": "u", "data": "x" * 7 * 2**20}).encode()
        parts = [upload[at : at + 2048] for at in range(0, len(upload), 2048)]
        await client.send(frame(TEXT, upload))
        await client.send(*[frame(CONT if at else TEXT, part, final=False) for at, part in enumerate(parts)])
        await client.send(frame(CONT))
        for _ in range(2):
            answer = (await client.receive()).json
            assert (answer["id"], answer["code"]) == ("u", "invalid")


async def test_a_client_that_ignores_the_close_frame_is_cut_off(redis: Redis):
    """Its input is read slowly meanwhile, and ignored."""
    async with served(redis, rates=True, control_burst=1) as gateway, attacker(gateway) as (client, socket):
        with pytest.raises(ConnectionError):  # noqa: PT012 - the flood ends when the socket is aborted
            while True:
                await client.send(frame(PING) * 10_000)
        await eventually(lambda: socket._lost)


async def test_input_during_a_turn_waits_for_the_next_one(redis: Redis):
    async with served(redis) as gateway, attacker(gateway) as (_, socket):
        flood = FLOODS["pings"]
        socket.data_received(flood * 100)
        for turn in range(1, 5):
            socket.data_received(flood)
            assert socket._parser.unread == len(flood) * (100 - 16 * turn + turn)
            await asyncio.sleep(0)


async def test_ignored_input_is_read_once_in_a_turn(redis: Redis):
    async with served(redis) as gateway, attacker(gateway) as (_, socket):
        socket.data_received(frame(TEXT, b"x", reserved=1))
        assert not socket._reading_paused
        for _ in range(3):
            socket.data_received(bytes(100_000))
            assert (socket._reading_paused, socket._parser.unread) == (True, 0)
            await asyncio.sleep(0)
            assert not socket._reading_paused


async def test_after_the_close_frame_input_is_processed_slowly(redis: Redis, monkeypatch: pytest.MonkeyPatch):
    """The client's close frame is in it."""
    monkeypatch.setattr(Input, "CLOSING_PAUSE_S", 0.05)
    async with served(redis) as gateway, attacker(gateway) as (_, socket):
        socket.close(1013, "come back")
        socket.data_received(FLOODS["ordinary frames"] * 20 + close_frame())
        for _ in range(5):
            await asyncio.sleep(0)
            assert socket._parser.unread > 0
            assert socket._reading_paused
        await eventually(socket._transport.is_closing)


async def test_a_protocol_error_is_counted(redis: Redis):
    def counted() -> float:
        return REGISTRY.get_sample_value("webchat_sockets_closed_total", {"reason": "protocol_error"}) or 0

    before = counted()
    async with served(redis) as gateway, attacker(gateway) as (client, socket):
        await client.send(frame(TEXT, b"x", reserved=1), frame(PING))
        assert [one.code for one in await client.receive_all()] == [1002]
        assert socket._parser.unread == 0
    assert counted() == before + 1
