"""/ops: operators see how everything runs, live; for everybody else there is nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx
import pytest
import pytest_asyncio
from device import DESKTOP, ENGLISH, KOREAN, PHONE, Device, open_device
from people import Person, sign_up
from playwright.async_api import Browser, expect
from stack import Stack, embedded
from test_screens import violations

Open = Callable[..., Awaitable[Device]]
OPERATOR = "operator.one"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"CANARY": "on", "CANARY_SECONDS": "0.5", "OPERATORS": f"someone, {OPERATOR.upper()}"}
    with embedded(tmp_path_factory.mktemp("ops"), **settings) as stack:
        yield stack


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operator(watched: Stack) -> AsyncIterator[Person]:
    person = Person(httpx.AsyncClient(base_url=watched.url, timeout=30), watched.url)
    account = {"email": "operator@example.com", "webchat_id": OPERATOR, "display_name": "Operator"}
    person.user = await person.call("POST", "/auth/signup", json=account | {"password": person.password}, status=201)
    yield person
    await person.close()


@pytest_asyncio.fixture(loop_scope="session")
async def opened(browser: Browser, watched: Stack) -> AsyncIterator[Open]:
    devices: list[Device] = []

    async def open_(person: Person | None = None, **look: object) -> Device:
        devices.append(await open_device(browser, watched.url, person, **look))
        return devices[-1]

    yield open_
    for one in devices:
        await one.context.close()
    assert [trouble for one in devices for trouble in one.unexpected()] == []


async def test_an_operator_sees_figures_move_and_what_waits(opened: Open, watched: Stack, operator: Person):
    device = await opened(operator, locale=ENGLISH)
    page = device.page
    await page.goto("/ops")
    canary = page.get_by_role("region", name="Canary")
    await expect(canary.get_by_role("status")).to_have_text("Every message arrives")
    await expect(page.get_by_role("region", name="Gateways")).to_contain_text("2 of 2 up")
    for name in ("Rooms", "Accounts", "People", "Files"):
        await expect(page.get_by_role("region", name=name)).to_contain_text("1 of 1 up")
    acknowledged = canary.locator(".ops-tile", has=page.get_by_text("Acknowledged", exact=True))
    await expect(acknowledged).to_contain_text("/s")
    drawn = acknowledged.locator("path").last
    before = await drawn.get_attribute("d")
    await expect(drawn).not_to_have_attribute("d", before or "")
    with watched.holding_rooms():
        await expect(canary.get_by_role("status")).to_have_text("Messages wait for their answer", timeout=30_000)
    await expect(canary.get_by_role("status")).not_to_have_text("Messages wait for their answer", timeout=30_000)
    await expect(canary.locator(".ops-tile", has=page.get_by_text("Lost", exact=True))).to_contain_text("0")


@pytest.mark.parametrize(
    "look",
    [
        {"locale": KOREAN, "color_scheme": "light", "viewport": DESKTOP},
        {"locale": ENGLISH, "color_scheme": "dark", "viewport": PHONE, "has_touch": True},
    ],
    ids=["korean-light-desktop", "english-dark-phone"],
)
async def test_axe_finds_nothing_and_nothing_is_cut_off(opened: Open, operator: Person, look: dict[str, object]):
    page = (await opened(operator, **look)).page
    await page.goto("/ops")
    await expect(page.get_by_role("heading", level=2)).to_have_count(6)
    assert await violations(page, "/ops") == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_for_a_stranger_there_is_nothing(opened: Open, watched: Stack):
    stranger = await sign_up(watched.url, "stranger")
    device = await opened(stranger, locale=ENGLISH)
    device.expects(r"status of 404 .*/api/ops/figures$")
    await device.page.goto("/ops")
    await expect(device.page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    assert await violations(device.page, "/ops for a stranger") == []
    problem = await stranger.call("GET", "/ops/figures", status=404)
    assert problem["type"] == "urn:webchat:problem:not_found"
    await device.page.get_by_role("link", name="Back to the chats").click()
    await expect(device.page).to_have_url(f"{watched.url}/")
    await stranger.close()


async def test_who_is_not_signed_in_is_asked_to(opened: Open, watched: Stack):
    device = await opened(locale=ENGLISH)
    await device.page.goto("/ops")
    await expect(device.page).to_have_url(f"{watched.url}/signin")
    async with httpx.AsyncClient(base_url=watched.url) as nobody:
        assert (await nobody.get("/api/ops/figures")).status_code == 401
