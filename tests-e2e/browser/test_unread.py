"""Unread counts: list, title and icon agree on all tabs and devices, and only a focused window marks as read."""

import re

from chat import Chat
from conftest import OpenDevice, SomeOne
from playwright.async_api import Locator, Page, expect
from waiting import eventually

# Calls are passed on to the browser; the last value is the badge of the installed app's icon.
ICON_NOTED = """
for (const name of ["setAppBadge", "clearAppBadge"]) {
  const own = Navigator.prototype[name];
  Navigator.prototype[name] = function (...given) {
    window.iconShows = given[0] ?? 0;
    return own.apply(this, given);
  };
}
"""
GLANCES_ELSEWHERE = """
window.looking = false;
Document.prototype.hasFocus = () => window.looking;
"""
LOOKS_HERE = """() => { window.looking = true; window.dispatchEvent(new Event("focus")); }"""


def badge(place: Locator, unread: int) -> Locator:
    return place.get_by_text(re.compile(f"^읽지 않은 메시지 {unread}개$"))


async def shows(page: Page, unread: int) -> None:
    """Wait until title, icon and the badge in the menu show the same number."""
    await page.bring_to_front()  # in a background tab Chromium draws about one frame per second, which slows the checks
    title = re.compile(rf"^\({unread}\) ") if unread else re.compile(r"^[^(]")
    await expect(page).to_have_title(title)
    await eventually(lambda: page.evaluate("(unread) => window.iconShows === unread", unread))
    menu = page.get_by_role("navigation", name="주 메뉴").first
    await expect(badge(menu, unread)).to_have_count(1 if unread else 0)


async def test_the_list_the_title_and_the_icon_agree_on_tabs_and_devices(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    trip, work = await ana.group("여행", ben), await ana.group("회사", ben)
    home, phone = [await device(one, scripts=[ICON_NOTED]) for one in (ana, await ana.log_in_again())]
    tabs = [home, phone, await home.tab()]
    chats = [await Chat(tab).open("/") for tab in tabs]
    for chat in chats:
        await expect(chat.room("여행")).to_be_visible()
        await shows(chat.page, 0)

    b = await ben.open()
    for room_id, text in ((trip, "표 샀어"), (work, "회의 시작"), (trip, "두 장")):
        await b.send(room_id, text)
    for chat in chats:
        await shows(chat.page, 3)
        await expect(badge(chat.room("여행"), 2)).to_be_visible()
        await expect(badge(chat.room("회사"), 1)).to_be_visible()

    await chats[1].room("여행").click()
    for chat in chats:
        await shows(chat.page, 1)
        await expect(badge(chat.room("여행"), 2)).to_have_count(0)
        await expect(badge(chat.room("회사"), 1)).to_be_visible()
    await chats[2].room("회사").click()
    for chat in chats:
        await shows(chat.page, 0)


async def test_a_window_without_focus_marks_nothing_as_read(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("옆 창", ben)
    hers, his = Chat(await device(ana)), Chat(await device(ben))
    await hers.page.add_init_script(GLANCES_ELSEWHERE)
    await hers.enter(room_id)
    await his.enter(room_id)
    await his.send("보고 있어?")
    await hers.sees("보고 있어?")
    await hers.send("딴 데 보는 중")
    await his.sees("딴 데 보는 중")
    await his.send("이제는?")
    await hers.sees("이제는?")
    await his.number("이제는?", 1)
    await expect(badge(hers.room("옆 창"), 1)).to_be_visible()
    await hers.page.evaluate(LOOKS_HERE)
    await his.number("이제는?", 0)
    await expect(badge(hers.room("옆 창"), 1)).to_have_count(0)


async def test_the_list_does_not_move_under_the_pointer(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    first = await ana.group("먼저 만든 방", ben)
    await ana.group("나중에 만든 방", ben)
    b = await ben.open()
    chat = await Chat(await device(ana)).open("/")
    links = chat.rooms.get_by_role("link")
    await expect(links).to_contain_text(["나중에 만든 방", "먼저 만든 방"])
    await chat.room("나중에 만든 방").hover()
    await b.send(first, "위로 가고 싶다")
    await expect(chat.room("먼저 만든 방")).to_contain_text("위로 가고 싶다")
    await expect(links).to_contain_text(["나중에 만든 방", "먼저 만든 방"])
    await chat.page.mouse.move(1200, 500)
    await expect(links).to_contain_text(["먼저 만든 방", "나중에 만든 방"])
