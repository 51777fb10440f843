"""Accessibility: double text size, reduced motion, and an on-screen keyboard; nothing is cut off."""

import re
from typing import Any

import pytest
from chat import Chat
from conftest import OpenDevice, SomeOne
from device import DESKTOP, PHONE
from people import Person, say_all
from playwright.async_api import Locator, Page, expect
from waiting import eventually

# All clipped texts, except those that can be scrolled to or are shortened with an ellipsis on purpose.
CUT_OFF = """() => {
  const cut = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walk.nextNode(); text; text = walk.nextNode()) {
    const own = text.parentElement;
    if (text.data.trim() === "" || own.closest(".sr-only, .skip-link, script, [inert]")) continue;
    if (!own.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const box = range.getBoundingClientRect();
    let [across, down] = [true, true];
    for (let one = own; one && (across || down); one = one.parentElement) {
      const style = getComputedStyle(one);
      const frame = one === document.body ? new DOMRect(0, 0, innerWidth, innerHeight) : one.getBoundingClientRect();
      if (style.textOverflow === "ellipsis" || style.webkitLineClamp !== "none") across = down = false;
      if (/auto|scroll/.test(style.overflowX)) across = false;
      if (/auto|scroll/.test(style.overflowY)) down = false;
      const clips = /hidden|clip/.test(style.overflowX + style.overflowY);
      const beside = across && (box.left < frame.left - 1 || box.right > frame.right + 1);
      const beyond = down && (box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
      if (clips && (beside || beyond)) {
        cut.push(`"${text.data.slice(0, 40)}" by ${one.tagName}.${one.className}`);
        break;
      }
    }
  }
  return cut;
}"""
MOVING = """() => document.getAnimations()
  .map((one) => one.effect.getComputedTiming())
  .filter(({ duration, iterations }) => duration > 1 || iterations > 1).length"""
# Everything is loaded: no placeholder, picture or font is pending.
DRAWN = """() => document.readyState === "complete" && document.fonts.status === "loaded"
  && !document.querySelector('.skeleton, [aria-busy="true"]')
  && [...document.images].every((one) => one.complete)"""
TWICE = {"standard": 32, "fixed": 26}


async def enlarge(page: Page) -> None:
    """Set the text size of the browser to 200 %."""
    session = await page.context.new_cdp_session(page)
    await session.send("Page.setFontSizes", {"fontSizes": TWICE})


async def within(place: Locator, page: Page) -> None:
    """Assert that the element is completely inside the window."""
    await expect(place).to_be_in_viewport(ratio=0.9)
    size, box = page.viewport_size, await place.bounding_box()
    assert size is not None
    assert box is not None
    assert 0 <= box["x"] <= size["width"] + 1 - box["width"], box


async def talked(someone: SomeOne, title: str, *bodies: str) -> tuple[Person, Person, str]:
    ana, ben = await someone("ana"), await someone("ben")
    await ana.follow(ben)
    room_id = await ana.group(title, ben)
    await say_all(await ben.open(), room_id, bodies)
    return ana, ben, room_id


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_text_of_double_size_is_nowhere_cut_off(device: OpenDevice, someone: SomeOne, viewport: dict[str, int]):
    words = "안경을 두고 왔어요"
    ana, ben, room_id = await talked(someone, "큰 글씨로 읽는 방", words, "천천히 읽어요 " * 30)
    phone = {"viewport": viewport, "has_touch": viewport == PHONE}
    inside, outside = Chat(await device(ana, **phone)), Chat(await device(**phone))
    found: dict[str, Any] = {}

    async def look(chat: Chat, where: str) -> None:
        await chat.page.wait_for_function(DRAWN)
        assert await chat.page.evaluate("getComputedStyle(document.documentElement).fontSize") == "32px"
        found[where] = await chat.page.evaluate(CUT_OFF)
        assert await chat.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where

    for chat in (inside, outside):
        await enlarge(chat.page)
    for path in ("/signin", "/signup"):
        await outside.open(path)
        await expect(outside.page.get_by_role("heading").first).to_be_visible()
        await look(outside, path)
    await inside.open("/settings")
    await expect(inside.page.get_by_role("heading").first).to_be_visible()
    await look(inside, "settings")
    for name in ("profile", "account", "devices", "alerts", "display"):
        await inside.go_to_settings(name)
        await look(inside, name)
    screens = {
        "/": inside.room("큰 글씨로 읽는 방"),
        "/friends": inside.page.get_by_role("link", name=re.compile("^Ben")),
        f"/friends/{ben.id}": inside.page.get_by_role("heading", name="Ben"),
        "/search?q=안경": inside.page.get_by_role("link").filter(has_text=words),
        f"/rooms/{room_id}": inside.said(words),
        f"/rooms/{room_id}/details": inside.page.get_by_role("heading", name="멤버 2"),
    }
    for path, sign in screens.items():
        await inside.go(path)
        await expect(sign.first).to_be_visible()
        await look(inside, path)
    assert {path: cut for path, cut in found.items() if cut} == {}
    await inside.go(f"/rooms/{room_id}")
    for place in (inside.composer, inside.page.get_by_role("button", name="이모지")):
        await within(place, inside.page)
    await inside.send("잘 보입니다")
    await within(inside.said("잘 보입니다"), inside.page)


async def test_nothing_moves_with_reduced_motion(device: OpenDevice, someone: SomeOne):
    ana, ben, room_id = await talked(someone, "고요", "가만히")
    chat = await Chat(await device(ana)).enter(room_id)
    b = await ben.open()
    await b.send_frame("room.typing", room_id=room_id, typing=True)
    await expect(chat.page.get_by_text("Ben 님이 입력 중")).to_be_visible()
    assert await chat.page.evaluate(MOVING) == 0
    await chat.page.emulate_media(reduced_motion="no-preference")
    await eventually(lambda: chat.page.evaluate(MOVING))
    await chat.page.emulate_media(reduced_motion="reduce")
    await eventually(lambda: chat.page.evaluate(f"({MOVING})() === 0"))


async def test_an_on_screen_keyboard_does_not_cover_the_field_and_the_last_message(
    device: OpenDevice, someone: SomeOne
):
    ana, _, room_id = await talked(someone, "손 안의 방", *(f"{number}번 글" for number in range(1, 41)))
    chat = Chat(await device(ana, viewport=PHONE, has_touch=True))
    await chat.enter(room_id)
    await chat.page.get_by_role("button", name="맨 아래로").or_(chat.said("40번 글")).first.click()
    await within(chat.said("40번 글"), chat.page)
    await chat.composer.tap()
    await chat.page.set_viewport_size({"width": PHONE["width"], "height": 420})
    for place in (chat.composer, chat.said("40번 글"), chat.page.get_by_role("heading", name="손 안의 방")):
        await within(place, chat.page)
    await chat.composer.fill("한 줄\n두 줄\n세 줄\n네 줄\n다섯 줄\n여섯 줄\n일곱 줄\n여덟 줄")
    await within(chat.page.get_by_role("button", name="보내기", exact=True), chat.page)
    await expect(chat.said("40번 글")).to_be_in_viewport()
    await chat.composer.fill("한 손으로 씀")
    await chat.page.get_by_role("button", name="보내기", exact=True).tap()
    await expect(chat.composer).to_be_focused()
    await within(chat.said("한 손으로 씀"), chat.page)
    await chat.page.set_viewport_size(PHONE)
    await within(chat.said("한 손으로 씀"), chat.page)
    await within(chat.composer, chat.page)
