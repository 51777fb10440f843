"""A room of 6,000 messages: it opens at the first unread one, uses few nodes, and jumps to any day, hit or quote."""

import re
from collections.abc import AsyncIterator

import pytest_asyncio
from chat import Chat
from conftest import OpenDevice, SomeOne
from people import Person, say_all, sign_up
from playwright.async_api import expect
from stack import Stack
from waiting import eventually

MESSAGES = 6_000
"""More than any cache has room for: the client's window, the recent page and the stream in Redis."""
READ = 4_000
NEEDLE = 777
MOST_NODES = 3_000


class LongRoom:
    def __init__(self, ana: Person, ben: Person, room_id: str) -> None:
        self.ana, self.ben, self.room_id = ana, ben, room_id


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def long_room(stack: Stack) -> AsyncIterator[LongRoom]:
    """A room in which Ben wrote all messages and Ana has read two thirds of them."""
    ana, ben = await sign_up(stack.url, "ana"), await sign_up(stack.url, "ben")
    room_id = await ana.group("긴 이야기", ben)
    b, a = await ben.open(), await ana.open()
    numbers = range(1, MESSAGES + 1)
    bodies = (f"바늘 {number}" if number == NEEDLE else f"{number}번째 이야기" for number in numbers)
    await say_all(b, room_id, bodies, at_once=60)
    await a.ask("room.read", room_id=room_id, seq=READ)
    await a.close()
    await b.close()
    yield LongRoom(ana, ben, room_id)
    await ana.close()
    await ben.close()


async def test_it_opens_at_the_first_unread_message(device: OpenDevice, long_room: LongRoom):
    chat = Chat(await device(await long_room.ana.log_in_again()))
    # Without focus nothing is marked as read, so the test can be repeated.
    await chat.page.add_init_script("Document.prototype.hasFocus = () => false")
    await chat.enter(long_room.room_id)
    await expect(chat.log.get_by_text("여기까지 읽었어요")).to_be_in_viewport()
    await expect(chat.said(f"{READ + 1}번째 이야기")).to_be_in_viewport()
    assert await chat.nodes() < MOST_NODES


async def test_it_uses_few_nodes_and_does_not_jump_while_scrolling_back(device: OpenDevice, long_room: LongRoom):
    chat = Chat(await device(await long_room.ben.log_in_again()))
    await chat.enter(long_room.room_id)
    await expect(chat.said(f"{MESSAGES}번째 이야기")).to_be_in_viewport()
    await chat.log.hover()
    seen = {(await chat.middle_place()).text}
    for _ in range(15):
        await chat.page.mouse.wheel(0, -2500)
        await eventually(lambda: chat.at_rest(frames=2))
        before = await chat.middle_place()
        await eventually(lambda: chat.at_rest(frames=15))
        assert abs(await chat.top_of(before.text) - before.top) <= 1, "the visible message does not move"
        assert await chat.nodes() < MOST_NODES
        seen.add(before.text)
    assert len(seen) > 10
    await chat.page.get_by_role("button", name="맨 아래로").click()
    await expect(chat.said(f"{MESSAGES}번째 이야기")).to_be_in_viewport()


async def test_jumping_to_a_day_to_a_hit_and_back(device: OpenDevice, long_room: LongRoom):
    chat = Chat(await device(await long_room.ben.log_in_again()))
    await chat.enter(long_room.room_id)
    last = chat.said(f"{MESSAGES}번째 이야기")
    await expect(last).to_be_in_viewport()
    page = chat.page

    await page.get_by_role("complementary").get_by_role("button", name="날짜로 가기").click()
    await page.get_by_role("dialog", name="날짜로 가기").get_by_role("button", name="가기", exact=True).click()
    await expect(chat.said("1번째 이야기")).to_be_in_viewport()
    await page.get_by_role("button", name="보던 곳으로").click()
    await expect(last).to_be_in_viewport()

    await page.get_by_role("button", name="이 대화에서 찾기").click()
    await page.get_by_role("searchbox").fill("바늘")
    await page.get_by_role("link", name=re.compile(f"바늘 {NEEDLE}")).click()
    await expect(chat.said(f"바늘 {NEEDLE}")).to_be_in_viewport()
    assert await chat.nodes() < MOST_NODES
    await page.get_by_role("button", name="맨 아래로").click()
    await expect(last).to_be_in_viewport()


async def test_new_messages_do_not_scroll_while_reading_back(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("위로 올린 방", ben)
    b = await ben.open()
    await say_all(b, room_id, (f"{number}번 글" for number in range(60)))
    chat = Chat(await device(ana))
    await chat.enter(room_id)
    await chat.page.get_by_role("button", name="맨 아래로").or_(chat.said("59번 글")).first.click()
    await expect(chat.said("59번 글")).to_be_in_viewport()
    await chat.log.hover()
    await chat.page.mouse.wheel(0, -1200)
    await eventually(lambda: chat.at_rest(frames=15))
    before = await chat.middle_place()
    for number in range(3):
        await b.send(room_id, f"새 글 {number}")
    await expect(chat.page.get_by_text("새 메시지 3개")).to_be_visible()
    assert abs(await chat.top_of(before.text) - before.top) <= 1
    await chat.page.get_by_role("button", name="맨 아래로").click()
    await expect(chat.said("새 글 2")).to_be_in_viewport()
    await expect(chat.page.get_by_text("새 메시지 3개")).to_have_count(0)
