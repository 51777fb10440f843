"""One Chromium and the one stack for all stories; every person gets a browser context of their own."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from people import Person, signing_up
from playwright.async_api import Browser, expect
from stack import CLIENT, Stack

sys.path.insert(0, str(Path(__file__).parent))

from chromium import chromium, find_chromium
from device import Device, open_device

OpenDevice = Callable[..., Awaitable[Device]]
SomeOne = Callable[..., Awaitable[Person]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Playwright's objects live in one loop: that of the session."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    if not (CLIENT / "index.html").exists():
        pytest.skip("the client is not built: make web")
    expect.set_options(timeout=15_000)
    async with chromium(path) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def device(browser: Browser, stack: Stack) -> AsyncIterator[OpenDevice]:
    """Opens browsers for people; in the end none may have had an error that its test did not expect."""
    devices: list[Device] = []

    async def open_(person: Person | None = None, **options: object) -> Device:
        devices.append(await open_device(browser, stack.url, person, **options))
        return devices[-1]

    yield open_
    for one in devices:
        await one.context.close()
    assert [trouble for one in devices for trouble in one.unexpected()] == []


@pytest_asyncio.fixture(loop_scope="session")
async def someone(stack: Stack) -> AsyncIterator[SomeOne]:
    """Signs people up over HTTP, for those parts of a story that are not about the browser."""
    async with signing_up(stack.url) as sign_someone_up:
        yield sign_someone_up
