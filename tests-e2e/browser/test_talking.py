"""Two people in one room, each in a browser: what one does, the other sees."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest_asyncio
from chat import Chat
from conftest import OpenDevice, SomeOne
from device import PHONE, Browsers
from people import Person, sign_up
from playwright.async_api import expect
from stack import Stack


@dataclass
class Pair:
    ana: Person
    ben: Person
    room_id: str
    hers: Chat
    his: Chat


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(browsers: Browsers, stack: Stack) -> AsyncIterator[Pair]:
    """Ana and Ben look at their room all the time; each story has words of its own."""
    ana, ben = await sign_up(stack.url, "ana"), await sign_up(stack.url, "ben")
    room_id = await ana.group("점심", ben)
    hers = await Chat(await browsers.open(ana)).enter(room_id)
    his = await Chat(await browsers.open(ben)).enter(room_id)
    yield Pair(ana, ben, room_id, hers, his)
    for chat in (hers, his):
        await browsers.give_back(chat.device)
        assert chat.device.unexpected() == []
    await ana.close()
    await ben.close()


async def test_a_message_and_its_edit_show_on_both_sides(pair: Pair):
    await pair.hers.send("점심 머 먹지")
    await pair.his.sees("점심 머 먹지")
    await expect(pair.hers.said("점심 머 먹지")).to_have_attribute("data-status", "there")  # until then it has no seq
    await pair.hers.composer.press("ArrowUp")
    await expect(pair.hers.composer).to_have_value("점심 머 먹지")
    await pair.hers.composer.fill("점심 뭐 먹지?")
    await pair.hers.composer.press("Enter")
    for chat in (pair.hers, pair.his):
        await chat.sees("점심 뭐 먹지?")
        await expect(chat.message("점심 뭐 먹지?")).to_contain_text("수정됨")
        await expect(chat.message("점심 머 먹지")).to_have_count(0)
    await pair.hers.composer.press("ArrowUp")
    await pair.hers.composer.press("Escape")
    await expect(pair.hers.composer).to_have_value("")


async def test_a_deletion_can_be_undone_for_a_while(pair: Pair, device: OpenDevice):
    hers = Chat(await device(await pair.ana.log_in_again(), fresh=True))
    await hers.page.clock.install()
    await hers.enter(pair.room_id)
    await hers.send("첫 번째")
    await hers.send("두 번째")
    await pair.his.sees("첫 번째", "두 번째")
    await hers.choose("첫 번째", "삭제")
    await hers.page.get_by_role("button", name="되돌리기").click()
    await hers.choose("두 번째", "삭제")
    await expect(hers.page.get_by_role("button", name="되돌리기")).to_be_visible()
    await hers.page.clock.fast_forward(6_000)
    for chat in (hers, pair.his):
        await expect(chat.log.get_by_text("삭제된 메시지예요").last).to_be_visible()
        await expect(chat.message("두 번째")).to_have_count(0)
        await chat.sees("첫 번째")


async def test_reactions_come_and_go_on_both_sides(pair: Pair):
    await pair.hers.send("점심은 김치찌개")
    await pair.his.choose("점심은 김치찌개", "공감")
    await pair.his.page.get_by_role("button", name="👍").first.click()
    for chat in (pair.hers, pair.his):
        await expect(chat.message("점심은 김치찌개").get_by_role("button", name=re.compile("👍 1"))).to_be_visible()
    await pair.hers.message("점심은 김치찌개").get_by_role("button", name=re.compile("👍 1")).click()
    for chat in (pair.hers, pair.his):
        await expect(chat.message("점심은 김치찌개").get_by_role("button", name=re.compile("👍 2"))).to_be_visible()
    await pair.his.message("점심은 김치찌개").get_by_role("button", name=re.compile("👍 2")).click()
    for chat in (pair.hers, pair.his):
        await expect(chat.message("점심은 김치찌개").get_by_role("button", name=re.compile("👍 1"))).to_be_visible()


async def test_a_reply_quotes_and_leads_to_what_it_answers(pair: Pair):
    await pair.hers.send("몇 시에 볼까?")
    await pair.his.sees("몇 시에 볼까?")
    await pair.his.choose("몇 시에 볼까?", "답장")
    await expect(pair.his.page.get_by_text("Ana 님에게 답장")).to_be_visible()
    await pair.his.send("12시 반")
    answer = pair.hers.message("12시 반")
    await expect(answer).to_contain_text("몇 시에 볼까?")
    await answer.get_by_role("button").filter(has_text="몇 시에 볼까?").click()
    await expect(pair.hers.message(re.compile("^.*몇 시에 볼까")).first).to_be_in_viewport()


async def test_a_mention_is_completed_by_initial_consonants(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    await ben.call("PATCH", "/social/profiles/me", json={"display_name": "박서연"})
    room_id = await ana.group("이름", ben)
    hers, his = Chat(await device(ana)), Chat(await device(ben))
    await hers.enter(room_id)
    await his.enter(room_id)
    await hers.composer.press_sequentially("@ㅂㅅㅇ")
    await hers.page.get_by_role("option", name=re.compile("박서연")).click()
    await hers.composer.press_sequentially("같이 가요")
    await hers.composer.press("Enter")
    await expect(his.message("같이 가요")).to_contain_text("@박서연")
    page = await ben.messages(room_id)
    assert page["items"][-1]["mentions"] == [ben.id]


async def test_the_number_of_those_who_have_not_read_falls_live(device: OpenDevice, someone: SomeOne):
    ana, ben, cem = await someone("ana"), await someone("ben"), await someone("cem")
    room_id = await ana.group("셋", ben, cem)
    hers = await Chat(await device(ana)).enter(room_id)
    await hers.send("다들 봤어?")
    await hers.number("다들 봤어?", 2)
    await hers.message("다들 봤어?").get_by_role("button", name=re.compile("^2 ?명이 읽지 않음")).click()
    await expect(hers.page.get_by_role("dialog")).to_contain_text("Cem")
    await hers.page.keyboard.press("Escape")
    his = await Chat(await device(ben)).enter(room_id)
    await his.sees("다들 봤어?")
    await hers.number("다들 봤어?", 1)
    await his.number("다들 봤어?", 1)
    await cem.call("DELETE", f"/rooms/{room_id}/members/me", status=204)
    await hers.number("다들 봤어?", 0)
    await his.number("다들 봤어?", 0)


async def test_what_one_person_says_at_once_stands_together(device: OpenDevice, someone: SomeOne):
    ana, ben, cem = await someone("ana"), await someone("ben"), await someone("cem")
    room_id = await ana.group("모아 보기", ben, cem)
    b, c = await ben.open(), await cem.open()
    for socket, body in ((b, "하나"), (b, "둘"), (c, "셋"), (b, "넷")):
        last = await socket.send(room_id, body)
    chat = await Chat(await device(ana)).enter(room_id)
    await expect(chat.log.locator(".message-name")).to_have_text(["Ben", "Cem", "Ben"])
    at = datetime.fromisoformat(last["at"]).astimezone(ZoneInfo("Asia/Seoul"))
    exact = re.compile(rf"{at.year}년 {at.month}월 {at.day}일.* {at.hour % 12 or 12}:{at.minute:02}")
    await expect(chat.said("넷").get_by_role("time")).to_have_attribute("title", exact)


async def test_typing_shows_and_ends(pair: Pair):
    await pair.his.composer.press_sequentially("음")
    await expect(pair.hers.page.get_by_text("Ben 님이 입력 중")).to_be_visible()
    await pair.his.send("음…")
    await expect(pair.hers.page.get_by_text("Ben 님이 입력 중")).to_have_count(0)


async def test_of_many_who_type_three_are_named(device: OpenDevice, someone: SomeOne):
    ana = await someone("ana")
    others = [await someone(name) for name in ("ben", "cem", "dan", "eun")]
    room_id = await ana.group("다 같이", *others)
    chat = Chat(await device(ana, fresh=True))
    await chat.page.clock.install()
    await chat.enter(room_id)
    line = chat.page.get_by_text(re.compile("입력 중$"))
    sockets = [await other.open() for other in others]
    named: list[str] = []
    for socket, name in zip(sockets[:3], ("Ben", "Cem", "Dan"), strict=True):
        named.append(name)
        await socket.tell("room.typing", room_id=room_id, typing=True)
        await expect(line).to_have_text(f"{', '.join(named)} 님이 입력 중")
    await sockets[3].tell("room.typing", room_id=room_id, typing=True)
    await expect(line).to_have_text("Ben, Cem, Dan 님 외 1명이 입력 중")
    await sockets[0].send(room_id, "다 썼다")
    await expect(line).to_have_text("Cem, Dan, Eun 님이 입력 중")
    await sockets[1].tell("room.typing", room_id=room_id, typing=False)
    await expect(line).to_have_text("Dan, Eun 님이 입력 중")
    await chat.page.clock.fast_forward(16_000)  # nobody said that they stopped
    await expect(line).to_have_count(0)


async def test_two_hundred_reactions_stay_small_and_can_be_used(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("환호", ben)
    a, b = await ana.open(), await ben.open()
    seq = (await b.send(room_id, "우리가 이겼다"))["seq"]
    emoji = [chr(0x1F400 + number) for number in range(100)]
    for one in emoji:
        for socket in (a, b):
            await socket.ask("message.react", room_id=room_id, seq=seq, emoji=one)
    chat = await Chat(await device(ana, viewport=PHONE, has_touch=True)).enter(room_id)
    message = chat.said("우리가 이겼다")
    await expect(message).to_be_visible()
    folded = await message.bounding_box()
    assert folded is not None
    assert folded["height"] < PHONE["height"] / 2
    assert folded["x"] + folded["width"] <= PHONE["width"]
    last = message.get_by_role("button", name=re.compile(f"^{emoji[-1]} "))
    await expect(last).to_have_count(0)
    await message.get_by_role("button", name="공감 84가지 더").click()
    await last.click()
    await expect(last).to_have_accessible_name(f"{emoji[-1]} 1: Ben")
    await message.get_by_role("button", name="공감 접기").click()
    await expect(last).to_have_count(0)


async def test_what_people_write_never_becomes_markup(device: OpenDevice, someone: SomeOne):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script> [x](javascript:alert(3)) **굵게** `코드`"
    ana, ben = await someone("ana"), await someone("ben")
    name = "<b>Ben</b><script>"
    await ben.call("PATCH", "/social/profiles/me", json={"display_name": name})
    room_id = await ana.group("<i>방</i>", ben)
    b = await ben.open()
    await b.send(room_id, evil)
    chat = await Chat(await device(ana)).enter(room_id)
    message = chat.message("alert(1)")
    await expect(message).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(message.locator("strong, b")).to_have_text("굵게")
    await expect(message.locator("code")).to_have_text("코드")
    await expect(message).to_contain_text(name)
    await expect(chat.page.get_by_role("heading", name="<i>방</i>").first).to_be_visible()
    await expect(chat.page.locator("script[src='']:not([type]), img[src=x], a[href^='javascript'], i")).to_have_count(0)
