"""Page objects of the chat. They find elements by role and name, in Korean, like a user with a screen reader."""

import re
from dataclasses import dataclass

from device import Device
from playwright.async_api import Locator, Page, expect
from waiting import eventually

MIDDLE = """(log) => {
  const frame = log.getBoundingClientRect();
  const middle = frame.top + frame.height / 2;
  const found = [...log.querySelectorAll("article")].find((one) => one.getBoundingClientRect().bottom > middle);
  return [found?.querySelector(".prose")?.innerText ?? "", found?.getBoundingClientRect().top ?? 0];
}"""
AT_REST = """(log, frames) => new Promise((resolve) => {
  const state = () => `${log.scrollTop} ${log.scrollHeight}`;
  const before = state();
  const step = (left) => {
    if (left === 0 || state() !== before) resolve(state() === before);
    else requestAnimationFrame(() => step(left - 1));
  };
  step(frames);
})"""


EVERYTHING_STORED = """async () => {
  const done = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const found = [{ ...localStorage }, { ...sessionStorage }];
  for (const { name } of await indexedDB.databases()) {
    const database = await done(indexedDB.open(name));
    for (const store of database.objectStoreNames) {
      found.push(await done(database.transaction(store).objectStore(store).getAll()));
    }
    database.close();
  }
  return JSON.stringify(found);
}"""


@dataclass(frozen=True)
class Place:
    text: str
    top: float


@dataclass(eq=False)
class Chat:
    device: Device

    @property
    def page(self) -> Page:
        return self.device.page

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log")

    @property
    def composer(self) -> Locator:
        return self.page.get_by_role("textbox", name=re.compile("^메시지 (입력|수정)$"))

    @property
    def rooms(self) -> Locator:
        return self.page.get_by_role("navigation", name="대화방 목록")

    def room(self, title: str) -> Locator:
        return self.rooms.get_by_role("link").filter(has_text=title)

    @property
    def articles(self) -> Locator:
        return self.log.get_by_role("article")

    def message(self, text: str | re.Pattern[str]) -> Locator:
        """The message with this text."""
        return self.articles.filter(has_text=text)

    def said(self, text: str) -> Locator:
        """The message with exactly this text: `1` matches neither `21` nor a reply that quotes it."""
        return self.articles.filter(has=self.page.locator(".prose").get_by_text(text, exact=True))

    async def open(self, path: str = "/") -> "Chat":
        await self.page.goto(path)
        return self

    async def go(self, path: str) -> None:
        """Navigate within the client, without loading the page again."""
        await self.page.evaluate("(path) => history.pushState(null, '', path)", path)

    async def go_to_settings(self, name: str) -> None:
        """Navigate to a page of settings, from a page with another title."""
        title = self.page.get_by_role("heading", level=1).last
        before = await title.inner_text()
        await self.go(f"/settings/{name}")
        await expect(title).not_to_have_text(before)

    async def enter(self, room_id: str) -> "Chat":
        """Open the room by its address."""
        await self.page.goto(f"/rooms/{room_id}")
        await expect(self.composer).to_be_visible()
        return self

    async def send(self, text: str) -> Locator:
        """Type a message, send it with Enter, and return the message in the log."""
        await self.composer.fill(text)
        await self.composer.press("Enter")
        await expect(self.composer).to_have_value("")
        await expect(self.message(text)).to_be_visible()
        return self.message(text)

    async def sees(self, *texts: str) -> None:
        for text in texts:
            await expect(self.message(text)).to_be_visible()

    async def number(self, text: str, unread: int) -> None:
        """Wait until the message shows this number of members who have not read it; 0 is not shown."""
        button = self.message(text).get_by_role("button", name=re.compile(r"읽지 않음|not read"))
        if unread == 0:
            await expect(button).to_have_count(0)
        else:
            await expect(button).to_have_text(str(unread))

    async def choose(self, text: str, action: str) -> None:
        """Choose an action on a message from the bar above it, or from the menu of its last button."""
        await self.message(text).hover()
        bar = self.message(text).get_by_role("toolbar", name="메시지 메뉴")
        shown = bar.get_by_role("button", name=action, exact=True)
        await expect(bar).to_be_visible()
        if await shown.count() == 0:
            await bar.get_by_role("button", name="더 보기").click()
            shown = self.page.get_by_role("menuitem", name=action, exact=True)
        await shown.click()

    async def settled(self) -> None:
        """Wait until all messages written here were acknowledged."""
        await expect(self.log.get_by_text("보내는 중")).to_have_count(0, timeout=60_000)

    async def resend(self, text: str) -> None:
        """Retry a rejected message until it is accepted: the end of a block takes up to a second."""
        message = self.message(text)
        again = message.get_by_role("button", name="다시 보내기")

        async def taken() -> bool:
            if await again.count():
                await again.click()
            return await message.get_attribute("data-status") == "there"

        await eventually(taken)

    async def bodies(self) -> list[str]:
        """Return the texts of the messages in the log, in order."""
        return await self.log.locator(".prose").all_inner_texts()

    async def says(self, *bodies: str) -> None:
        """Wait until the log has exactly these texts in this order."""
        await expect(self.log.locator(".prose")).to_have_text(bodies)

    async def everything_stored(self) -> str:
        """Return everything that this browser stores of the user, as text."""
        return str(await self.page.evaluate(EVERYTHING_STORED))

    async def can_do_without_network(self, text: str) -> None:
        """Wait until the shell and the page with this text are stored."""
        await self.worker_is_here()

        async def kept() -> bool:
            # Twice: as the last message of its room, and in the page of the room.
            return (await self.everything_stored()).count(text) > 1

        await eventually(kept)

    async def worker_is_here(self) -> None:
        """Wait until the service worker controls this page."""
        await eventually(lambda: self.page.evaluate("navigator.serviceWorker.controller !== null"))

    def room_id(self) -> str:
        return self.page.url.split("/rooms/")[1].split("/")[0].split("?")[0]

    async def nodes(self) -> int:
        return int(await self.page.evaluate("document.getElementsByTagName('*').length"))

    async def middle_place(self) -> Place:
        """Return the message in the middle of the log, and its position on the screen."""

        async def found() -> tuple[str, float] | None:
            # After a long jump the list renders its rows a frame later.
            text, top = await self.log.evaluate(MIDDLE)
            return (text, top) if text else None

        return Place(*await eventually(found))

    async def top_of(self, text: str) -> float:
        box = await self.said(text).bounding_box()
        assert box is not None
        return box["y"]

    async def at_rest(self, frames: int) -> bool:
        """Return whether the log neither scrolls nor grows for this number of frames."""
        return bool(await self.log.evaluate(AT_REST, frames))
