"""Alerts of the system: asked for in context, one for each message, none for what is looked at, gone once read."""

from typing import Any

from chat import Chat
from conftest import OpenDevice, SomeOne
from people import Person
from playwright.async_api import expect
from waiting import eventually

# The browser's own alerts, each remembered; `allowed` is how the person answers the browser's question.
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


class Alerted(Chat):
    """A chat whose browser may show alerts."""

    async def may_alert(self) -> None:
        """Until one of this browser's tabs leads: that one alerts."""
        await self.page.wait_for_function(A_TAB_LEADS)

    async def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.page.evaluate("window.alerts")
        return found

    async def showing(self) -> list[str]:
        return [alert["body"] for alert in await self.alerts() if alert["there"]]


async def alerted(device: OpenDevice, person: Person, *, granted: bool = True) -> Alerted:
    """One that is not granted may be refused, which its browser remembers."""
    mine = await device(person, scripts=[ALERTS_NOTED], fresh=not granted)
    if granted:
        await mine.context.grant_permissions(["notifications"])
    return Alerted(mine)


async def test_they_are_asked_for_beside_the_chats_and_only_once(device: OpenDevice, someone: SomeOne):
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


async def test_a_browser_that_refuses_is_explained(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    await ana.group("첫 대화", ben)
    chat = await alerted(device, ana, granted=False)
    await chat.open("/")
    # Nobody is there to allow it: Chromium answers no.
    await chat.page.get_by_role("button", name="알림 켜기").click()
    await expect(chat.page.get_by_text("새 메시지가 오면 알려 드릴까요?")).to_have_count(0)
    await chat.page.goto("/settings/alerts")
    await expect(chat.page.get_by_text("주소창의 사이트 설정에서 알림을 허용해 주세요")).to_be_visible()


async def test_a_message_is_told_once_for_all_tabs_and_withdrawn_when_read_elsewhere(
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


async def test_the_room_that_is_looked_at_and_a_muted_one_stay_quiet(device: OpenDevice, someone: SomeOne):
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
