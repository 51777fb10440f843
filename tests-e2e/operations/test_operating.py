"""Operations and failures of containers during traffic: no acknowledged message is lost or duplicated.

Each test records its effect on users: the longest wait for an acknowledgement, and the time until the last late reader
was up to date.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest
from containers import Containers, is_healthy
from engine import docker
from people import Person
from traffic import PATIENCE_S, Scene, Watch, talking

from shared.testing.fixtures import eventually

SERVICES = ("auth", "social", "rooms", "media", "chat-gateway")
STORES = ("database", "redis", "storage")
OUTAGE_S = 12
"""Longer than every timeout on the path of a message."""


@pytest.fixture
async def scene(stack: Containers) -> AsyncIterator[Scene]:
    async with talking(stack.url) as running:
        yield running


@asynccontextmanager
async def each_scaled(stack: Containers, **replicas: int) -> AsyncIterator[None]:
    numbers = dict.fromkeys(SERVICES, 2) | {name.replace("_", "-"): number for name, number in replicas.items()}
    await scale(stack, numbers)
    try:
        yield
    finally:
        await scale(stack, dict.fromkeys(SERVICES, 1) | {"chat-gateway": 2})


async def scale(stack: Containers, numbers: dict[str, int]) -> None:
    words = [word for name, number in numbers.items() for word in ("--scale", f"{name}={number}")]
    await asyncio.to_thread(stack.compose, "up", "--detach", "--wait", "--no-recreate", *words, seconds=300)


async def upstreams(stack: Containers, person: Person, path: str, times: int = 40) -> set[str]:
    """Return the upstream addresses to which nginx sent requests for a path."""
    for _ in range(times):
        (await person.http.get(path)).raise_for_status()
    lines = [
        line
        for line in stack.compose("logs", "--no-log-prefix", "--tail", "400", "nginx").splitlines()
        if f'"{path}"' in line
    ]
    return {match[1] for line in lines if (match := re.search(r'"nginx\.upstream\.address":"[^"]*?([\d.:]+)"', line))}


async def test_every_service_scales_up_and_back(stack: Containers, scene: Scene) -> None:
    await scene.more_acked()
    watch = Watch(scene)
    async with each_scaled(stack, rooms=3, chat_gateway=4):
        await watch.record("each service on two or three replicas")
        assert len(await upstreams(stack, scene.ana, "/api/rooms")) == 3, "nginx discovers all replicas"
        assert len(await upstreams(stack, scene.ana, "/api/social/profiles/me")) == 2
        watch = Watch(scene)
    await watch.record("and back")
    await eventually_one(stack, scene.ana, "/api/rooms")
    await scene.finish()


async def eventually_one(stack: Containers, person: Person, path: str) -> None:
    """Wait until nginx uses one upstream. Before, it may try removed addresses, which users do not notice."""
    async with asyncio.timeout(60):
        while len(await upstreams(stack, person, path, times=400)) > 1:
            await asyncio.sleep(1)


async def test_rolling_restarts_of_each_service(stack: Containers, scene: Scene) -> None:
    await scene.more_acked()
    async with each_scaled(stack):
        for service in SERVICES:
            watch = Watch(scene)
            for container in stack.replicas(service):
                await asyncio.to_thread(docker, "restart", container)
                await eventually(lambda c=container: is_healthy(c), PATIENCE_S)  # type: ignore[misc]
            await watch.record(f"rolling restart of {service}")
    watch = Watch(scene)
    [nginx] = stack.replicas("nginx")
    await asyncio.to_thread(docker, "restart", nginx)
    await watch.record("restart of nginx")
    await scene.finish()


@pytest.mark.parametrize("name", [*SERVICES, "nginx", *STORES])
async def test_a_container_is_killed(stack: Containers, scene: Scene, name: str) -> None:
    await scene.more_acked()
    watch = Watch(scene)
    [container, *_] = stack.replicas(name)
    await asyncio.to_thread(stack.kill, name)
    await watch.record(f"{name} killed")
    await eventually(lambda: is_healthy(container), PATIENCE_S)
    await scene.finish()


@pytest.mark.parametrize("name", STORES)
async def test_an_outage_of_a_store(stack: Containers, scene: Scene, name: str) -> None:
    await scene.more_acked()
    watch = Watch(scene)
    await asyncio.to_thread(stack.compose, "stop", name)
    await asyncio.sleep(OUTAGE_S)
    await asyncio.to_thread(stack.compose, "start", name)
    await watch.record(f"{name} down for {OUTAGE_S} s")
    await scene.finish()


async def test_redis_is_emptied(stack: Containers, scene: Scene) -> None:
    with closing(stack.redis()) as redis:
        for _ in range(3):
            await scene.more_acked()
            watch = Watch(scene)
            redis.flushall()
            await watch.record("Redis emptied")
    await scene.finish()
