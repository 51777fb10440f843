"""Swarm mode as in deploy/ec2 during traffic: updates lose nothing, and failing updates are rolled back."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from swarm import EDGE, SERVICES, Swarm, swarm
from traffic import PATIENCE_S, Scene, Watch, talking

from shared.testing.fixtures import eventually


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    with swarm(tmp_path_factory.mktemp("swarm")) as running:
        yield running


@pytest.fixture
async def scene(stack: Swarm) -> AsyncIterator[Scene]:
    async with talking(stack.url) as running:
        yield running


async def ended(stack: Swarm, service: str, state: str) -> None:
    """Wait for the end of an update without blocking the traffic."""

    async def has_ended() -> bool:
        now = await asyncio.to_thread(stack.state_of_update, service)
        assert "paused" not in now, now
        return now == state

    await eventually(has_ended, PATIENCE_S)


@pytest.mark.parametrize("services", [SERVICES, EDGE], ids=["services", "nginx"])
async def test_a_newer_version_rolls_out(stack: Swarm, scene: Scene, services: tuple[str, ...]) -> None:
    images = {name: await asyncio.to_thread(stack.newer_image, name) for name in services}
    await scene.more_acked()
    watch, reconnects = Watch(scene), [follower.reconnects for follower in scene.followers]
    for name, image in images.items():
        await asyncio.to_thread(stack.update, name, "--image", image)
    for name in services:
        await ended(stack, name, "completed")
    await watch.record(f"a newer version of {' and '.join(services)} on a swarm")
    for name, image in images.items():
        assert set(await asyncio.to_thread(stack.running, name)) == {image}
    again = [follower.reconnects - before for follower, before in zip(scene.followers, reconnects, strict=True)]
    assert all(again), "clients of the previous version were asked to reconnect"
    await scene.finish()


BROKEN = {
    "rooms": "DB_HOST=nowhere.invalid",  # fails at its start
    "chat-gateway": "REDIS_ENDPOINT=nowhere.invalid:6379",  # alive but never ready
    "nginx": "NGINX_RESOLVER=",  # rejects its configuration
}


@pytest.mark.parametrize("services", [("rooms", "chat-gateway"), EDGE], ids=["services", "nginx"])
async def test_a_failing_update_is_rolled_back(stack: Swarm, scene: Scene, services: tuple[str, ...]) -> None:
    await scene.more_acked()
    before = {name: await asyncio.to_thread(stack.container, name) for name in services}
    watch = Watch(scene)
    for name in services:
        await asyncio.to_thread(stack.update, name, "--env-add", BROKEN[name])
    for name in services:
        await ended(stack, name, "rollback_completed")
    await watch.record(f"{' and '.join(services)} on a swarm failed and was rolled back")
    assert {name: await asyncio.to_thread(stack.container, name) for name in services} == before
    assert await asyncio.to_thread(stack.is_up)
    await scene.finish()


def test_no_secret_is_in_the_environment(stack: Swarm) -> None:
    for name in SERVICES + EDGE:
        assert not [line for line in stack.container(name)["Env"] if "SECRET" in line or "PASSWORD" in line]
