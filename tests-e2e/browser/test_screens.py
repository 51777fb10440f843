"""Accessibility of every screen: axe finds no violation, light and dark, desktop and phone, Korean and English."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chat import Chat
from conftest import OpenDevice
from device import DESKTOP, ENGLISH, KOREAN, PHONE
from people import Person, sign_up
from playwright.async_api import Page, expect
from stack import Stack

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
ROWS_ARE_DRAWN = """() => [...document.querySelectorAll("a.room-row")].every(
  (row) => !row.checkVisibility() || row.checkVisibility({ visibilityProperty: true }))"""
"""A virtual list hides its rows until it has measured them, and hidden text gives them no accessible name."""
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = {"runOnly": STANDARDS, "resultTypes": ["violations"], "preload": {"assets": ["media"]}}
"""Style sheets are not preloaded: no rule of these standards needs them, and axe would load them for each run."""
LIGHT, DARK = {"color_scheme": "light"}, {"color_scheme": "dark"}
ON_A_PHONE = {"viewport": PHONE, "has_touch": True}
LOOKS = [
    pytest.param({"locale": KOREAN, "viewport": DESKTOP} | LIGHT, id="korean-light-desktop"),
    pytest.param({"locale": ENGLISH, "viewport": DESKTOP} | DARK, id="english-dark-desktop"),
    pytest.param({"locale": ENGLISH} | ON_A_PHONE | LIGHT, id="english-light-phone"),
    pytest.param({"locale": KOREAN} | ON_A_PHONE | DARK, id="korean-dark-phone"),
]


async def violations(page: Page, where: str) -> list[str]:
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    await page.wait_for_function(ROWS_ARE_DRAWN)
    found: dict[str, Any] = await page.evaluate("(rules) => axe.run(document, rules)", RULES)
    return [f"{where}: {one['id']} {[node['html'][:160] for node in one['nodes']][:3]}" for one in found["violations"]]


class Filled:
    """A user with friends, rooms and every kind of message."""

    def __init__(self, ana: Person, room_id: str, direct_id: str, ben: Person) -> None:
        self.ana, self.room_id, self.direct_id, self.ben = ana, room_id, direct_id, ben


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def filled(stack: Stack) -> AsyncIterator[Filled]:
    ana, ben = await sign_up(stack.url, "ana"), await sign_up(stack.url, "ben")
    await ana.follow(ben)
    room_id = await ana.group("모두 보이는 방", ben)
    direct_id = await ana.direct(ben)
    a, b = await ana.open(), await ben.open()
    first = await b.send(room_id, "다들 **숙소** 봤어요? `애월` https://example.org/a")
    await a.ask("message.react", room_id=room_id, seq=first["seq"], emoji="👍")
    await a.send(room_id, "네! 좋던데요", reply_to=first["seq"])
    gone = await b.send(room_id, "잘못 보냄")
    await b.ask("message.delete", room_id=room_id, seq=gone["seq"])
    edited = await b.send(room_id, "고치기 전")
    await b.ask("message.edit", room_id=room_id, seq=edited["seq"], body="고친 뒤")
    await a.send(room_id, "긴 이야기 " * 300)
    await b.send(direct_id, "둘이서만")
    await a.close()
    await b.close()
    yield Filled(ana, room_id, direct_id, ben)
    await ana.close()
    await ben.close()


@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_on_any_screen(device: OpenDevice, filled: Filled, look: dict[str, Any]):
    outside, inside = await device(**look), await device(await filled.ana.log_in_again(), **look)
    found: list[str] = []
    for path in ("/signin", "/signup"):
        await outside.page.goto(path)
        await expect(outside.page.get_by_role("heading", level=2)).to_be_visible()
        found += await violations(outside.page, path)
    chat = Chat(inside)
    screens = {
        "/": chat.page.get_by_text("모두 보이는 방"),
        f"/rooms/{filled.room_id}": chat.log.get_by_text("고친 뒤"),
        f"/rooms/{filled.room_id}/details": chat.page.get_by_role("complementary"),
        f"/rooms/{filled.direct_id}": chat.log.get_by_text("둘이서만"),
        "/friends": chat.page.get_by_role("link", name="Ben"),
        f"/friends/{filled.ben.id}": chat.page.get_by_role("heading", name="Ben"),
        "/search?q=숙소": chat.page.get_by_role("link").filter(has_text="숙소"),
    }
    await chat.open("/")
    for path, sign in screens.items():
        await chat.go(path)
        await expect(sign.first).to_be_visible()
        if path.startswith("/rooms/") and not path.endswith("/details"):
            await expect(chat.log).to_have_attribute("data-placed", "true")
        found += await violations(inside.page, path)
    for path in ("/search?kind=people", "/search", "/settings"):
        await chat.open(path)
        await expect(chat.page.get_by_role("heading" if path == "/settings" else "searchbox").first).to_be_visible()
        found += await violations(inside.page, path)
    for name in ("profile", "account", "devices", "alerts", "display", "blocked", "shortcuts"):
        await chat.go_to_settings(name)
        found += await violations(inside.page, name)
    assert found == []


@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_on_dialogs_and_menus_of_a_room(
    device: OpenDevice, filled: Filled, look: dict[str, Any]
):
    korean = look["locale"] == KOREAN
    theirs = await device(await filled.ana.log_in_again(), **look)
    page = theirs.page
    await page.goto(f"/rooms/{filled.room_id}")
    await expect(page.get_by_role("log").get_by_text("고친 뒤")).to_be_visible()
    found: list[str] = []
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox")).to_be_focused()
    found += await violations(page, "switcher")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="이모지" if korean else "Emoji", exact=True).click()
    await expect(page.get_by_role("gridcell").first).to_be_visible()
    found += await violations(page, "emoji")
    await page.keyboard.press("Escape")
    await Chat(theirs).go("/")
    await page.get_by_role("button", name="새 대화" if korean else "New chat", exact=True).click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    found += await violations(page, "new chat")
    assert found == []


async def test_a_phone_shows_one_column_at_a_time(device: OpenDevice, filled: Filled):
    chat = Chat(await device(await filled.ana.log_in_again(), viewport=PHONE, has_touch=True))
    await chat.page.goto("/")
    await chat.room("모두 보이는 방").click()
    await expect(chat.composer).to_be_in_viewport()
    await expect(chat.rooms).not_to_be_visible()
    await chat.page.get_by_role("button", name="대화방 정보").click()
    await expect(chat.page.get_by_role("heading", name="멤버 2")).to_be_visible()
    await chat.page.go_back()
    await expect(chat.composer).to_be_visible()
    await chat.page.get_by_role("link", name="뒤로").click()
    await expect(chat.rooms).to_be_visible()
    await expect(chat.page.get_by_role("navigation", name="주 메뉴").get_by_role("link")).to_have_count(4)
    assert await chat.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_text_at_200_percent_fits(device: OpenDevice, filled: Filled):
    page = (await device(await filled.ana.log_in_again(), viewport={"width": 640, "height": 480})).page
    for path in ("/", f"/rooms/{filled.room_id}", "/settings/account"):
        await page.goto(path)
        await expect(page.get_by_role("heading").first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


async def test_the_chosen_language_and_theme_are_kept(device: OpenDevice, filled: Filled):
    page = (await device(await filled.ana.log_in_again())).page
    await page.goto("/settings/display")
    await page.get_by_role("radio", name="English").check(force=True)
    await expect(page.get_by_role("heading", name="Display and language").first).to_be_visible()
    await page.get_by_role("radio", name="Dark").check(force=True)
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await page.reload()
    await expect(page.get_by_role("radio", name="Dark")).to_be_checked()
    assert await page.evaluate("getComputedStyle(document.body).color") == "rgb(242, 238, 230)"
