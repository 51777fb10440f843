"""From the front page to the first conversations: signing up, finding each other, rooms of two and of more."""

import re
import uuid
from dataclasses import dataclass

import pytest
from chat import Chat
from conftest import OpenDevice, SomeOne
from device import ENGLISH, KOREAN
from playwright.async_api import expect

PASSWORD = "honey on warm paper"


@dataclass(frozen=True)
class Gate:
    locale: str
    to_sign_up: str
    create: str
    name: str
    email: str
    password: str
    free: str
    taken: str
    nothing_yet: str
    settings: str
    sign_out: str
    login: str
    sign_in: str
    wrong: str
    rooms: str


GATES = [
    Gate(KOREAN, "계정 만들기", "계정 만들기", "이름", "이메일", "비밀번호", "쓸 수 있는 ID예요",
         "이미 쓰이는 ID예요", "아직 대화가 없어요",
         "설정", "로그아웃", "이메일 또는 WebChat ID", "로그인", "로그인 정보가 맞지 않아요", "대화"),
    Gate(ENGLISH, "Create an account", "Create an account", "Name", "Email", "Password", "This ID is free",
         "This ID is taken", "No chats yet", "Settings", "Sign out", "Email or WebChat ID", "Sign in",
         "That sign-in does not match", "Chats"),
]  # fmt: skip


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.locale)
async def test_signing_up_out_and_in(device: OpenDevice, someone: SomeOne, gate: Gate):
    other = await someone("other")
    mine = await device(locale=gate.locale)
    page = mine.page
    await page.goto("/")
    await page.get_by_role("link", name=gate.to_sign_up).click()

    webchat_id = page.get_by_label("WebChat ID")
    await webchat_id.fill(other.user["webchat_id"])
    await expect(page.get_by_text(gate.taken)).to_be_visible()
    name = f"w{uuid.uuid4().hex[:10]}"
    await webchat_id.fill(name.upper())
    await expect(page.get_by_text(gate.free)).to_be_visible()
    await page.get_by_label(gate.name, exact=True).fill("새 사람")
    await page.get_by_label(gate.email).fill(f"{name}@example.org")
    await page.get_by_label(gate.password, exact=True).fill(PASSWORD)
    await page.get_by_role("button", name=gate.create).click()
    await expect(page.get_by_text(gate.nothing_yet)).to_be_visible()

    await page.get_by_role("link", name=gate.settings).click()
    await page.get_by_role("button", name=gate.sign_out).click()
    await (
        page.get_by_role("alertdialog")
        .or_(page.get_by_role("dialog"))
        .get_by_role("button", name=gate.sign_out)
        .click()
    )

    mine.expects(r"status of 401 .*/api/auth/login")
    for login, password, right in (
        (name, "not the password", False),
        (f"nobody{name}"[:20], PASSWORD, False),
        (f"{name}@example.org", PASSWORD, True),
    ):
        await page.get_by_label(gate.login).fill(login)
        await page.get_by_label(gate.password, exact=True).fill(password)
        await page.get_by_role("button", name=gate.sign_in, exact=True).click()
        if not right:
            await expect(page.get_by_text(gate.wrong)).to_be_visible()
    await page.get_by_role("link", name=gate.rooms, exact=True).click()
    await expect(page.get_by_text(gate.nothing_yet)).to_be_visible()


async def test_following_by_webchat_id_and_a_room_of_two(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    hers, his = await device(ana), await device(ben)
    await his.page.goto("/")
    await hers.page.goto("/search?kind=people")
    await hers.page.get_by_role("searchbox", name="WebChat ID, 두 글자부터").fill(ben.user["webchat_id"])
    await hers.page.get_by_role("button", name="친구 추가").click()
    await expect(hers.page.get_by_text("Ben 님을 친구로 추가했어요")).to_be_visible()

    await hers.page.get_by_role("link", name="친구", exact=True).click()
    await hers.page.get_by_role("link", name=re.compile("Ben")).click()
    await hers.page.get_by_role("button", name="1:1 대화").click()
    a, b = Chat(hers), Chat(his)
    await a.send("안녕 Ben!")
    await expect(b.room("Ana")).to_contain_text("안녕 Ben!")
    await b.room("Ana").click()
    await b.sees("안녕 Ben!")
    await b.send("반가워")
    await a.sees("반가워")


async def test_a_group_from_a_choice_of_friends(device: OpenDevice, someone: SomeOne):
    ana, ben, cem = await someone("ana"), await someone("ben"), await someone("cem")
    await ana.follow(ben)
    await ana.follow(cem)
    hers, his = await device(ana), await device(ben)
    await his.page.goto("/")
    await hers.page.goto("/")
    await hers.page.get_by_role("button", name="새 대화").click()
    dialog = hers.page.get_by_role("dialog", name="새 대화")
    for name in ("Ben", "Cem"):
        await dialog.get_by_text(name, exact=True).click()
    await dialog.get_by_label("대화방 이름").fill("주말 등산")
    await dialog.get_by_role("button", name="2명과 그룹 만들기").click()
    a, b = Chat(hers), Chat(his)
    await a.send("토요일 어때?")
    await b.room("주말 등산").click()
    await b.sees("토요일 어때?")
    await a.number("토요일 어때?", 1)
