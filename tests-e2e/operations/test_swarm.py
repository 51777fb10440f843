"""Swarm mode as in deploy/ec2, while people write: updates lose nothing, and what cannot serve goes back by itself."""

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
    """Wait for an update's end, without holding up the people."""

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
    await watch.tell(f"a newer version of {' and '.join(services)} on a swarm")
    for name, image in images.items():
        assert set(await asyncio.to_thread(stack.running, name)) == {image}
    again = [follower.reconnects - before for follower, before in zip(scene.followers, reconnects, strict=True)]
    assert all(again), "who hung on the version before was told to come again"
    await scene.finish()


BROKEN = {
    "rooms": "DB_HOST=nowhere.invalid",  # ends at its start
    "chat-gateway": "REDIS_ENDPOINT=nowhere.invalid:6379",  # lives, but is never ready
    "nginx": "NGINX_RESOLVER=",  # refuses its configuration
}


@pytest.mark.parametrize("services", [("rooms", "chat-gateway"), EDGE], ids=["services", "nginx"])
async def test_what_cannot_serve_goes_back_by_itself(stack: Swarm, scene: Scene, services: tuple[str, ...]) -> None:
    await scene.more_acked()
    before = {name: await asyncio.to_thread(stack.container, name) for name in services}
    watch = Watch(scene)
    for name in services:
        await asyncio.to_thread(stack.update, name, "--env-add", BROKEN[name])
    for name in services:
        await ended(stack, name, "rollback_completed")
    await watch.tell(f"{' and '.join(services)} on a swarm could not serve, and went back")
    assert {name: await asyncio.to_thread(stack.container, name) for name in services} == before
    assert await asyncio.to_thread(stack.is_up)
    await scene.finish()


def test_no_secret_is_in_the_environment(stack: Swarm) -> None:
    for name in SERVICES + EDGE:
        assert not [line for line in stack.container(name)["Env"] if "SECRET" in line or "PASSWORD" in line]
