"""Focus: dialogs and menus return it to the element that opened them, for keyboard users."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from chat import Chat
from demo_content import upload
from device import Browsers
from landscape import landscape
from people import Person, sign_up
from playwright.async_api import Locator, expect
from stack import Stack


@dataclass
class Keyboard:
    """A keyboard user who owns a group with a picture."""

    chat: Chat
    people: tuple[Person, Person]

    @property
    def over(self) -> Locator:
        page = self.chat.page
        return page.get_by_role("dialog").or_(page.get_by_role("menu")).first

    def button(self, name: str) -> Locator:
        return self.chat.page.get_by_role("button", name=name, exact=True)

    def in_details(self, name: str) -> Locator:
        return self.chat.page.get_by_role("complementary").get_by_role("button", name=name, exact=True)

    async def press(self, place: Locator, key: str = "Enter") -> None:
        await place.focus()
        await self.chat.page.keyboard.press(key)
        await expect(self.over).to_be_visible()

    async def leave(self) -> None:
        await self.chat.page.keyboard.press("Escape")
        await expect(self.over).to_have_count(0)

    async def to_message(self, text: str) -> Locator:
        """Move from the field to a message with Shift+Tab and arrows. Tab goes to the last focused message."""
        message = self.chat.said(text)
        await self.chat.composer.focus()
        for _ in range(2):
            await self.chat.page.keyboard.press("Shift+Tab")
        await expect(self.chat.log.locator("article:focus")).to_have_count(1)
        if not await message.evaluate("(message) => message === document.activeElement"):
            await self.chat.page.keyboard.press("ArrowDown")
        await expect(message).to_be_focused()
        return message


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def keyboard(browsers: Browsers, stack: Stack) -> AsyncIterator[Keyboard]:
    ana, ben = await sign_up(stack.url, "ana"), await sign_up(stack.url, "ben")
    room_id = await ana.group("자판만으로", ben)
    picture = await upload(ben, room_id, "바다.jpg", landscape(0), "image/jpeg")
    b = await ben.open()
    await b.send(room_id, "여기!", attachment_ids=[picture])
    await b.send(room_id, "어때?")
    chat = await Chat(await browsers.open(ana)).enter(room_id)
    await chat.sees("어때?")
    yield Keyboard(chat, (ana, ben))
    await browsers.give_back(chat.device)
    assert chat.device.unexpected() == []
    for person in (ana, ben):
        await person.close()


async def test_to_the_button_that_opened_it(keyboard: Keyboard):
    inside, anywhere = keyboard.in_details, keyboard.button
    openers = [
        *map(inside, ("초대", "이름 바꾸기", "날짜로 가기", "모두 보기", "나가기", "Ben 님 관리")),
        keyboard.chat.page.get_by_role("complementary").get_by_role("listitem").get_by_role("button").first,
        *map(anywhere, ("이모지", "새 대화", "내 프로필")),
    ]
    for opener in openers:
        await keyboard.press(opener)
        await keyboard.leave()
        await expect(opener).to_be_focused()


@pytest.mark.parametrize("action", ["내보내기", "방장 넘기기"])
async def test_to_the_button_of_a_menu_that_led_to_a_dialog(keyboard: Keyboard, action: str):
    opener = keyboard.in_details("Ben 님 관리")
    await keyboard.press(opener)
    await keyboard.press(keyboard.chat.page.get_by_role("menuitem", name=action))
    await expect(keyboard.chat.page.get_by_role("menu")).to_have_count(0)
    await keyboard.leave()
    await expect(opener).to_be_focused()


async def test_through_the_menu_of_a_message_back_to_the_message(keyboard: Keyboard):
    page = keyboard.chat.page
    message = await keyboard.to_message("어때?")
    await page.keyboard.press("Enter")
    react, more = keyboard.button("공감"), message.get_by_role("button", name="더 보기")
    await expect(react).to_be_focused()
    await keyboard.press(react)
    await keyboard.leave()
    await expect(react).to_be_focused()
    await keyboard.press(more)
    await keyboard.leave()
    await expect(more).to_be_focused()
    await keyboard.press(more)
    await keyboard.press(page.get_by_role("menuitem", name="읽은 사람 보기"))
    await keyboard.leave()
    await expect(more).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(message).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(keyboard.chat.composer).to_be_focused()


async def test_from_a_picture_and_from_the_switcher(keyboard: Keyboard):
    page = keyboard.chat.page
    await keyboard.to_message("어때?")
    await page.keyboard.press("ArrowUp")
    message = keyboard.chat.said("여기!")
    await expect(message).to_be_focused()
    picture = message.get_by_role("button", name="사진 크게 보기: 바다.jpg")
    await keyboard.press(picture)
    await keyboard.leave()
    await expect(picture).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox")).to_be_focused()
    await keyboard.leave()
    await expect(picture).to_be_focused()
