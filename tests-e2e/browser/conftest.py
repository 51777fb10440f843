"""One Chromium and one stack for all tests; every user gets a separate browser context."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from people import Person, signing_up
from playwright.async_api import Browser, expect
from stack import CLIENT, Stack, embedded
from waiting import PATIENCE_S

sys.path.insert(0, str(Path(__file__).parent))

from chromium import chromium, find_headless
from device import Browsers, Device

OpenDevice = Callable[..., Awaitable[Device]]
SomeOne = Callable[..., Awaitable[Person]]
OPERATOR = "operator.one"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests on the event loop of the session, because Playwright's objects belong to one loop."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack under test, with an operator and a canary for /ops; `WEBCHAT_TARGET` is the URL of a running one."""
    target = os.environ.get("WEBCHAT_TARGET")
    if target is not None:
        yield Stack(target, Path(os.environ.get("WEBCHAT_DATA", "")), dict(os.environ))
        return
    client = tmp_path_factory.mktemp("client") / "dist"
    if CLIENT.exists():
        shutil.copytree(CLIENT, client)  # a test changes it
    settings = {
        "WEBCHAT_CLIENT": str(client),
        "CANARY": "on",
        "CANARY_SECONDS": "0.5",
        "OPERATORS": f"someone, {OPERATOR.upper()}",
    }
    with embedded(tmp_path_factory.mktemp("browser"), **settings) as running:
        yield running


@asynccontextmanager
async def browser_at(path: str | None) -> AsyncIterator[Browser]:
    """Run the browser, or skip the test without one or without a client."""
    if path is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    if not (CLIENT / "index.html").exists():
        pytest.skip("the client is not built: make web")
    expect.set_options(timeout=PATIENCE_S * 1000)
    async with chromium(path) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with browser_at(find_headless()) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browsers(browser: Browser, stack: Stack) -> Browsers:
    return Browsers(browser, stack.url)


@pytest_asyncio.fixture(loop_scope="session")
async def device(browsers: Browsers) -> AsyncIterator[OpenDevice]:
    """A function that opens browsers. At the end it fails the test if a browser had an unexpected error."""
    devices: list[Device] = []

    async def open_(person: Person | None = None, **options: Any) -> Device:
        devices.append(await browsers.open(person, **options))
        return devices[-1]

    yield open_
    for one in devices:
        await browsers.give_back(one)
    assert [trouble for one in devices for trouble in one.unexpected()] == []


@pytest_asyncio.fixture(loop_scope="session")
async def someone(stack: Stack) -> AsyncIterator[SomeOne]:
    """A function that signs users up over HTTP, for steps that are not about the browser."""
    async with signing_up(stack.url) as sign_someone_up:
        yield sign_someone_up
