"""/ops: operators see live figures; for everybody else the page does not exist."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from conftest import OPERATOR, OpenDevice
from device import DESKTOP, ENGLISH, KOREAN, PHONE
from people import Person, http_client, sign_up
from playwright.async_api import expect
from stack import Stack
from test_screens import violations

LONG_MS = 90_000
"""Late messages are shown for a minute, and an earlier test may have delayed everything."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operator(stack: Stack) -> AsyncIterator[Person]:
    person = Person(http_client(stack.url), stack.url)
    account = {"email": "operator@example.com", "webchat_id": OPERATOR, "display_name": "Operator"}
    free = await person.call("GET", "/auth/available", params={"webchat_id": OPERATOR})
    if free["available"]:
        json = account | {"password": person.password}
        person.user = await person.call("POST", "/auth/signup", json=json, status=201)
    else:  # on a stack that ran before
        json = {"login": OPERATOR, "password": person.password}
        person.user = await person.call("POST", "/auth/login", json=json)
    yield person
    await person.close()


async def test_an_operator_sees_live_figures_and_waiting_messages(device: OpenDevice, stack: Stack, operator: Person):
    page = (await device(operator, locale=ENGLISH)).page
    await page.goto("/ops")
    canary = page.get_by_role("region", name="Canary")
    await expect(canary.get_by_role("status")).to_have_text("Every message arrives", timeout=LONG_MS)
    await expect(page.get_by_role("region", name="Gateways")).to_contain_text("2 of 2 up")
    for name in ("Rooms", "Accounts", "People", "Files"):
        await expect(page.get_by_role("region", name=name)).to_contain_text("1 of 1 up")
    acknowledged = canary.locator(".ops-tile", has=page.get_by_text("Acknowledged", exact=True))
    await expect(acknowledged).to_contain_text("/s")
    drawn = acknowledged.locator("path").last
    before = await drawn.get_attribute("d")
    await expect(drawn).not_to_have_attribute("d", before or "")
    with stack.holding_rooms():
        await expect(canary.get_by_role("status")).to_have_text("Messages wait for their answer", timeout=LONG_MS)
    await expect(canary.get_by_role("status")).not_to_have_text("Messages wait for their answer", timeout=LONG_MS)
    await expect(canary.locator(".ops-tile", has=page.get_by_text("Lost", exact=True))).to_contain_text("0")


@pytest.mark.parametrize(
    "look",
    [
        {"locale": KOREAN, "color_scheme": "light", "viewport": DESKTOP},
        {"locale": ENGLISH, "color_scheme": "dark", "viewport": PHONE, "has_touch": True},
    ],
    ids=["korean-light-desktop", "english-dark-phone"],
)
async def test_axe_finds_nothing_and_nothing_is_cut_off(device: OpenDevice, operator: Person, look: dict[str, object]):
    page = (await device(operator, **look)).page
    await page.goto("/ops")
    await expect(page.get_by_role("heading", level=2)).to_have_count(6)
    assert await violations(page, "/ops") == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_page_does_not_exist_for_other_users(device: OpenDevice, stack: Stack):
    stranger = await sign_up(stack.url, "stranger")
    theirs = await device(stranger, locale=ENGLISH)
    theirs.expects(r"status of 404 .*/api/ops/figures$")
    await theirs.page.goto("/ops")
    await expect(theirs.page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    assert await violations(theirs.page, "/ops for a stranger") == []
    problem = await stranger.call("GET", "/ops/figures", status=404)
    assert problem["type"] == "urn:webchat:problem:not_found"
    await theirs.page.get_by_role("link", name="Back to the chats").click()
    await expect(theirs.page).to_have_url(f"{stack.url}/")
    await stranger.close()


async def test_without_a_session_the_page_asks_to_sign_in(device: OpenDevice, stack: Stack):
    theirs = await device(locale=ENGLISH)
    await theirs.page.goto("/ops")
    await expect(theirs.page).to_have_url(f"{stack.url}/signin")
    async with httpx.AsyncClient(base_url=stack.url) as nobody:
        assert (await nobody.get("/api/ops/figures")).status_code == 401
