"""Notifications: permission is requested in context, one per message, none in the open room, withdrawn once read."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from chat import Chat
from chromium import find_chromium
from conftest import OpenDevice, SomeOne, browser_at
from device import Browsers
from people import Person
from playwright.async_api import expect
from stack import Stack
from waiting import eventually

# Records the browser's notifications. `allowed` is the user's answer to the browser's question.
ALERTS_NOTED = """
window.alerts = [];
window.asked = 0;
const Own = window.Notification;
window.Notification = class extends Own {
  constructor(title, options) {
    super(title, options);
    this.noted = { title, body: options.body, there: true };
    window.alerts.push(this.noted);
  }
  close() {
    this.noted.there = false;
    super.close();
  }
  static async requestPermission() {
    window.asked += 1;
    await window.allowed?.();
    return Own.requestPermission();
  }
};
"""


A_TAB_LEADS = """() => navigator.locks.query()
  .then(({ held }) => held.some(({ name }) => name === "webchat/leader"))"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browsers(stack: Stack) -> AsyncIterator[Browsers]:
    """Windows of a whole Chromium, because the headless shell shows no notifications and asks for no permission."""
    async with browser_at(find_chromium()) as browser:
        yield Browsers(browser, stack.url)


class Alerted(Chat):
    """A chat whose browser may show notifications."""

    async def may_alert(self) -> None:
        """Wait until one of this browser's tabs is the leader, which shows the notifications."""
        await self.page.wait_for_function(A_TAB_LEADS)

    async def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.page.evaluate("window.alerts")
        return found

    async def showing(self) -> list[str]:
        return [alert["body"] for alert in await self.alerts() if alert["there"]]


async def alerted(device: OpenDevice, person: Person, *, granted: bool = True) -> Alerted:
    """Open a chat. Without `granted` the permission can be denied, which the browser would remember."""
    mine = await device(person, scripts=[ALERTS_NOTED], fresh=not granted)
    if granted:
        await mine.context.grant_permissions(["notifications"])
    return Alerted(mine)


async def test_permission_is_requested_next_to_the_chats_and_only_once(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    chat = await alerted(device, ana, granted=False)
    page = chat.page
    await chat.open("/")
    question = page.get_by_text("새 메시지가 오면 알려 드릴까요?")
    await expect(page.get_by_text("아직 대화가 없어요")).to_be_visible()
    await expect(question).to_have_count(0)
    room_id = await ben.group("첫 대화", ana)
    await expect(question).to_be_visible()
    assert await page.evaluate("window.asked") == 0
    await page.get_by_role("button", name="나중에").click()
    await expect(question).to_have_count(0)
    await page.reload()
    await expect(chat.room("첫 대화")).to_be_visible()
    await expect(question).to_have_count(0)
    assert await page.evaluate("window.asked") == 0

    async def allow() -> None:
        await chat.device.context.grant_permissions(["notifications"])

    await page.expose_function("allowed", allow)
    await page.goto("/settings/alerts")
    await page.get_by_role("button", name="알림 켜기").click()
    await expect(page.get_by_text("이 기기의 알림이 켜져 있어요")).to_be_visible()
    assert await page.evaluate("window.asked") == 1
    await chat.may_alert()
    b = await ben.open()
    await b.send(room_id, "들려?")
    await eventually(chat.showing)
    await page.get_by_role("button", name="알림 끄기").click()
    await b.send(room_id, "이제 안 들려?")
    await expect(page.get_by_role("navigation", name="주 메뉴").first).to_contain_text("2")
    assert [alert["body"] for alert in await chat.alerts()] == ["Ben: 들려?"]


async def test_a_denied_permission_is_explained(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    await ana.group("첫 대화", ben)
    chat = await alerted(device, ana, granted=False)
    await chat.open("/")
    # Without a user who allows it, Chromium denies it.
    await chat.page.get_by_role("button", name="알림 켜기").click()
    await expect(chat.page.get_by_text("새 메시지가 오면 알려 드릴까요?")).to_have_count(0)
    await chat.page.goto("/settings/alerts")
    await expect(chat.page.get_by_text("주소창의 사이트 설정에서 알림을 허용해 주세요")).to_be_visible()


async def test_a_message_is_notified_once_for_all_tabs_and_withdrawn_when_read_elsewhere(
    device: OpenDevice, someone: SomeOne
):
    ana, ben = await someone("ana"), await someone("ben")
    room_id, other_id = await ana.group("알림 방", ben), await ana.group("다른 방", ben)
    first = await alerted(device, ana)
    second = Alerted(await first.device.tab())
    for chat in (first, second):
        await chat.open("/friends")
        await expect(chat.page.get_by_text("아직 친구가 없어요")).to_be_visible()
        await expect(chat.page.get_by_role("navigation", name="주 메뉴").first).to_be_visible()
    await first.may_alert()
    b = await ben.open()

    async def all_of_them() -> list[str]:
        return [alert["body"] for chat in (first, second) for alert in await chat.alerts()]

    async def showing() -> list[str]:
        return await first.showing() + await second.showing()

    for count, (room, text) in enumerate(((room_id, "하나"), (other_id, "둘"), (room_id, "셋")), start=1):
        await b.send(room, text)
        for chat in (first, second):
            await expect(chat.page).to_have_title(f"({count}) 친구 – WebChat")

    async def in_room() -> list[str]:
        return [body for body in await all_of_them() if body != "Ben: 둘"]

    async def in_other() -> list[str]:
        return [body for body in await all_of_them() if body == "Ben: 둘"]

    await eventually(lambda: _is(in_room, ["Ben: 하나", "Ben: 셋"]))
    await eventually(lambda: _is(in_other, ["Ben: 둘"]))

    elsewhere = await Chat(await device(await ana.log_in_again())).enter(room_id)
    await elsewhere.sees("셋")
    await eventually(lambda: _is(showing, ["Ben: 둘"]))


async def _is(ask: Any, wanted: list[str]) -> bool:
    found = await ask()
    assert found == wanted
    return True


async def test_the_open_room_and_a_muted_one_show_no_notification(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    seen, muted, other = await ana.group("보는 방", ben), await ana.group("조용한 방", ben), await ana.direct(ben)
    await ana.call("PATCH", f"/rooms/{muted}", json={"muted": True})
    chat = await alerted(device, ana)
    tab = Alerted(await chat.device.tab())
    await tab.open("/friends")
    await chat.enter(seen)
    await chat.may_alert()
    b = await ben.open()
    for room_id, text in ((seen, "눈앞에"), (muted, "쉿"), (other, "여기 봐")):
        await b.send(room_id, text)
    await chat.sees("눈앞에")

    async def all_of_them() -> list[tuple[str, str]]:
        return [(alert["title"], alert["body"]) for one in (chat, tab) for alert in await one.alerts()]

    await eventually(all_of_them)
    await b.send(muted, "나를 불렀네 @Ana", mentions=[ana.id])
    await eventually(lambda: _is(all_of_them, [("Ben", "여기 봐"), ("조용한 방", "Ben: 나를 불렀네 @Ana")]))


async def test_a_reused_browser_has_not_kept_the_permission(browsers: Browsers, someone: SomeOne):
    permission = "Notification.permission"
    before = await alerted(browsers.open, await someone("ana"))
    await before.open("/")
    assert await before.page.evaluate(permission) == "granted"
    await browsers.give_back(before.device)

    after = await browsers.open(scripts=[ALERTS_NOTED])
    assert after.context is before.device.context
    await after.page.goto("/icons/icon.svg")
    assert await after.page.evaluate(permission) == "default"
    await browsers.give_back(after)
