"""Where an address or a date leads: to one message, to a day and back, and to a clear word where there is nothing."""

import asyncio
import re
import sqlite3
import uuid
from contextlib import closing
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest_asyncio
from chat import Chat
from conftest import OpenDevice, SomeOne
from people import Person, say_all
from playwright.async_api import Locator, expect
from stack import Stack
from waiting import PATIENCE_S

SEOUL = ZoneInfo("Asia/Seoul")
DAYS_AGO = (6, 5, 3, 1)
A_DAY = 50
"""Messages of one day: a page holds fewer than there are in all."""


async def filled_room(someone: SomeOne, title: str, count: int) -> tuple[Person, str]:
    """A person in a room where somebody else wrote so many messages."""
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group(title, ben)
    await say_all(await ben.open(), room_id, (f"{number}번 글" for number in range(1, count + 1)))
    return ana, room_id


async def test_a_link_to_a_message_opens_cold_and_leads_on_to_the_present(device: OpenDevice, someone: SomeOne):
    ana, room_id = await filled_room(someone, "긴 방", 240)
    chat = Chat(await device(ana))
    await chat.open(f"/rooms/{room_id}?at=20")
    await expect(chat.said("20번 글")).to_be_in_viewport()
    await expect(chat.composer).to_be_visible()
    await chat.page.get_by_role("button", name="맨 아래로").click()
    await expect(chat.said("240번 글")).to_be_in_viewport()


async def test_a_link_waits_until_one_has_signed_in(device: OpenDevice, someone: SomeOne):
    ana, room_id = await filled_room(someone, "문 뒤의 방", 120)
    chat = Chat(await device())
    await chat.open(f"/rooms/{room_id}?at=7")
    await chat.page.get_by_label("이메일 또는 WebChat ID").fill(ana.user["webchat_id"])
    await chat.page.get_by_label("비밀번호", exact=True).fill(ana.password)
    await chat.page.get_by_role("button", name="로그인", exact=True).click()
    await expect(chat.said("7번 글")).to_be_in_viewport()


async def test_a_link_to_no_message_opens_the_room_all_the_same(device: OpenDevice, someone: SomeOne):
    ana, room_id = await filled_room(someone, "짧은 방", 3)
    chat = Chat(await device(ana))
    for at in ("999", "0", "third"):
        await chat.open(f"/rooms/{room_id}?at={at}")
        await expect(chat.said("3번 글")).to_be_in_viewport()


async def test_a_room_one_cannot_enter_says_so_and_leads_back(device: OpenDevice, someone: SomeOne):
    ana = await someone("ana")
    _, of_others = await filled_room(someone, "남의 방", 1)
    chat = Chat(await device(ana))
    for room_id in (of_others, str(uuid.uuid4()), "nowhere"):
        await chat.open(f"/rooms/{room_id}?at=1")
        await expect(chat.page.get_by_role("heading", name="들어갈 수 없는 대화방이에요")).to_be_visible()
        await expect(chat.page.get_by_text("대화방에서 나왔거나, 없는 대화방이에요.")).to_be_visible()
        await expect(chat.page.get_by_text("남의 방")).to_have_count(0)
        await chat.page.get_by_role("button", name="대화 목록으로").click()
        await expect(chat.page).to_have_url(re.compile("/$"))
        await expect(chat.page.get_by_text("아직 대화가 없어요")).to_be_visible()


def day(ago: int) -> date:
    return datetime.now(SEOUL).date() - timedelta(days=ago)


def date_back(stack: Stack, room_id: str) -> None:
    """The room's messages, as if they had been written from noon on on those days; Redis keeps nothing of before."""
    with closing(sqlite3.connect(stack.data / "db" / "rooms.sqlite3", timeout=PATIENCE_S)) as db, db:
        for index in range(len(DAYS_AGO) * A_DAY):
            noon = datetime.combine(day(DAYS_AGO[index // A_DAY]), time(12), SEOUL)
            at = int(noon.timestamp() * 1000) + index % A_DAY * 60_000
            row = uuid.UUID(room_id).bytes, index + 1
            changed = db.execute("UPDATE message SET at = ? WHERE room_id = ? AND seq = ?", (at, *row))
            assert changed.rowcount == 1
    with closing(stack.redis()) as redis:
        for key in redis.scan_iter(f"room:{{{room_id}}}:*"):
            redis.delete(key)


class Week(Chat):
    """A room with messages of several days."""

    async def go_to(self, chosen: date) -> None:
        dialog = self.page.get_by_role("dialog", name="날짜로 가기")
        await dialog.get_by_label("날짜로 가기").fill(chosen.isoformat())
        await dialog.get_by_role("button", name="가기", exact=True).click()
        await expect(dialog).to_have_count(0)

    def divider(self, ago: int) -> Locator:
        chosen = day(ago)
        return self.log.get_by_role("button", name=re.compile(f"{chosen.month}월 {chosen.day}일"))


@pytest_asyncio.fixture(loop_scope="session")
async def week(device: OpenDevice, someone: SomeOne, stack: Stack) -> Week:
    """Ana before a room where Ben wrote on four of the last days; she has read it all."""
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("지난주", ben)
    a, b = await ana.open(), await ben.open()
    await say_all(b, room_id, (f"{ago}일 전 {number}" for ago in DAYS_AGO for number in range(1, A_DAY + 1)))
    await a.ask("room.read", room_id=room_id, seq=len(DAYS_AGO) * A_DAY)
    await asyncio.to_thread(date_back, stack, room_id)
    chat = Week(await device(ana))
    await chat.enter(room_id)
    return chat


async def test_a_day_is_found_and_the_present_again(week: Week):
    last = week.said(f"1일 전 {A_DAY}")
    await expect(last).to_be_in_viewport()
    by_date = week.page.get_by_role("complementary").get_by_role("button", name="날짜로 가기")
    await by_date.click()
    await week.go_to(day(5))
    await expect(week.said("5일 전 1")).to_be_in_viewport()
    await expect(week.divider(5)).to_be_in_viewport()
    await expect(week.said(f"6일 전 {A_DAY}")).to_be_in_viewport()

    await week.divider(5).click()
    await week.go_to(day(4))  # nobody wrote then
    await expect(week.said("3일 전 1")).to_be_in_viewport()
    await week.page.get_by_role("button", name="보던 곳으로").click()
    await expect(week.said("5일 전 1")).to_be_in_viewport()
    await week.page.get_by_role("button", name="맨 아래로").click()
    await expect(last).to_be_in_viewport()

    await by_date.click()
    await week.go_to(day(30))
    await expect(week.said("6일 전 1")).to_be_in_viewport()
    await by_date.click()
    await week.go_to(day(0))
    await expect(last).to_be_in_viewport()
    await week.page.get_by_role("button", name="보던 곳으로").click()
    await expect(week.said("6일 전 1")).to_be_in_viewport()
