"""Membership in the user interface: inviting, roles, removing, muting, leaving, blocking."""

import re

from chat import Chat
from conftest import OpenDevice, SomeOne
from playwright.async_api import Locator, expect
from waiting import eventually

GONE = "들어갈 수 없는 대화방이에요"


class Host(Chat):
    """A chat with the room's details next to it, as on a wide screen."""

    @property
    def details(self) -> Locator:
        return self.page.get_by_role("complementary", name="대화방 정보")

    def member(self, name: str) -> Locator:
        return self.details.get_by_role("listitem").filter(has_text=name)

    def menu_of(self, name: str) -> Locator:
        return self.details.get_by_role("button", name=f"{name} 님 관리")

    async def manage(self, name: str, action: str) -> None:
        await self.menu_of(name).click()
        await self.page.get_by_role("menuitem", name=action, exact=True).click()

    async def confirm(self, action: str) -> None:
        dialog = self.page.get_by_role("dialog")
        await dialog.get_by_role("button", name=action, exact=True).click()
        await expect(dialog).to_have_count(0)

    async def shows_event(self, line: str) -> None:
        """Wait for a system message between the messages."""
        await expect(self.log.get_by_text(line, exact=True).last).to_be_visible()

    async def reads(self, *texts: str) -> None:
        """Wait until the log has exactly these messages and system messages in this order."""
        await expect(self.log.locator(".prose, .event-line")).to_have_text(texts)


async def test_roles_are_granted_and_allow_removing_members(device: OpenDevice, someone: SomeOne):
    ana, ben, cem = await someone("ana"), await someone("ben"), await someone("cem")
    room_id = await ana.group("동아리", ben, cem)
    hers, his, theirs = [Host(await device(one)) for one in (ana, ben, cem)]
    for chat in (hers, his, theirs):
        await chat.enter(room_id)
        await expect(chat.member("Ana")).to_contain_text("방장")
    await expect(his.menu_of("Cem")).to_have_count(0)

    await hers.manage("Ben", "관리자로 정하기")
    for chat in (hers, his, theirs):
        await expect(chat.member("Ben")).to_contain_text("관리자")
    await expect(his.menu_of("Ana")).to_have_count(0)
    await expect(theirs.menu_of("Ben")).to_have_count(0)

    await his.manage("Cem", "내보내기")
    await his.confirm("내보내기")
    await expect(theirs.page.get_by_text(GONE)).to_be_visible()
    await expect(theirs.room("동아리")).to_have_count(0)
    for chat in (hers, his):
        await expect(chat.details.get_by_role("heading", name="멤버 2")).to_be_visible()
        await expect(chat.member("Cem")).to_have_count(0)

    await hers.manage("Ben", "방장 넘기기")
    await hers.confirm("방장 넘기기")
    for chat in (hers, his):
        await expect(chat.member("Ben")).to_contain_text("방장")
        await expect(chat.member("Ana")).to_contain_text("관리자")
    await expect(hers.menu_of("Ben")).to_have_count(0)
    await expect(his.menu_of("Ana")).to_be_visible()
    await hers.send("수고해!")
    await his.sees("수고해!")
    for chat in (hers, his):
        for line in (
            "Ben 님이 관리자가 됐어요",
            "Ben 님이 Cem 님을 내보냈어요",
            "Ben 님이 방장이 됐어요",
        ):
            await chat.shows_event(line)


async def test_a_friend_is_invited_and_leaves_again(device: OpenDevice, someone: SomeOne):
    ana, ben, cem = await someone("ana"), await someone("ben"), await someone("cem")
    for friend in (ben, cem):
        await ana.follow(friend)
    room_id = await ana.group("책 모임", ben)
    hers, his, theirs = [Host(await device(one)) for one in (ana, ben, cem)]
    await hers.enter(room_id)
    await his.enter(room_id)
    await theirs.open("/")
    await hers.send("다음 책 정하자")

    await hers.details.get_by_role("button", name="초대", exact=True).click()
    dialog = hers.page.get_by_role("dialog", name="초대하기")
    choices = dialog.get_by_role("checkbox")
    await expect(choices).to_have_count(1)  # Ben is in the room already
    await choices.filter(has_text="Cem").click()
    await dialog.get_by_role("button", name="1명 초대").click()
    await expect(dialog).to_have_count(0)
    await theirs.room("책 모임").click()
    await theirs.send("불러 줘서 고마워")
    for chat in (hers, his):
        await chat.sees("불러 줘서 고마워")
        await chat.shows_event("Ana 님이 Cem 님을 초대했어요")
        await expect(chat.details.get_by_role("heading", name="멤버 3")).to_be_visible()

    await theirs.details.get_by_role("button", name="나가기").click()
    await theirs.confirm("나가기")
    await expect(theirs.page).to_have_url(re.compile("/$"))
    await expect(theirs.room("책 모임")).to_have_count(0)
    await hers.details.get_by_role("button", name="나가기").click()
    await expect(hers.page.get_by_role("dialog")).to_contain_text("방장은 가장 오래된 관리자나 멤버에게 넘어가요")
    await hers.confirm("나가기")
    await expect(his.member("Ben")).to_contain_text("방장")
    await his.shows_event("Cem 님이 나갔어요")
    await his.shows_event("Ana 님이 나갔어요")


async def test_system_messages_stay_between_the_messages(device: OpenDevice, someone: SomeOne):
    ana, ben, cem = await someone("ana"), await someone("ben"), await someone("cem")
    room_id = await ana.group("산악회", ben)
    a, b = await ana.open(), await ben.open()
    events = ["Ana 님이 Cem 님을 초대했어요", 'Ana 님이 이름을 "등산회"(으)로 바꿨어요', "Ben 님이 나갔어요"]
    await a.send(room_id, "토요일에 가요")
    await a.ask("room.invite", room_id=room_id, user_ids=[cem.id])
    await a.send(room_id, "Cem 님도 와요")
    await ana.call("PATCH", f"/rooms/{room_id}", json={"title": "등산회"})
    await b.send(room_id, "저는 못 가요")
    await b.ask("room.leave", room_id=room_id)
    await a.send(room_id, "아쉽네요")
    order = ["토요일에 가요", events[0], "Cem 님도 와요", events[1], "저는 못 가요", events[2], "아쉽네요"]

    hers, theirs = Host(await device(ana, service_workers="allow")), Host(await device(cem))
    for chat in (hers, theirs):
        await chat.enter(room_id)
    await hers.reads(*order)
    await theirs.reads(*order[1:])
    await hers.page.reload()
    await hers.reads(*order)
    await hers.can_do_without_network("아쉽네요")
    await eventually(lambda: stores_system_messages(hers))
    await hers.device.go_offline()
    await hers.page.reload()
    await hers.reads(*order)


async def stores_system_messages(chat: Chat) -> bool:
    """Return whether the stored page has the last departure: a page may be stored before its events."""
    return '"member.left"' in await chat.everything_stored()


async def test_a_room_is_muted_on_every_device(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("시끄러운 방", ben)
    desk = await Host(await device(ana)).enter(room_id)
    phone = await Chat(await device(await ana.log_in_again())).open("/")
    await desk.details.get_by_role("button", name="알림 끄기").click()
    for chat in (desk, phone):
        await expect(chat.room("시끄러운 방")).to_contain_text("알림 꺼짐")
    await phone.page.reload()
    await expect(phone.room("시끄러운 방")).to_contain_text("알림 꺼짐")
    await desk.details.get_by_role("button", name="알림 켜기").click()
    for chat in (desk, phone):
        await expect(chat.room("시끄러운 방")).not_to_contain_text("알림 꺼짐")


async def test_a_blocked_user_cannot_write_until_unblocked(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    b = await ben.open()
    await b.send(room_id, "저기요")
    hers, his = Host(await device(ana)), Chat(await device(ben))
    await hers.enter(room_id)
    await his.enter(room_id)
    await hers.details.get_by_role("button", name="프로필 보기").click()
    await hers.page.get_by_role("dialog", name="Ben").get_by_role("button", name="차단", exact=True).click()
    await hers.confirm("차단")
    await expect(hers.page.get_by_text("Ben 님을 차단했어요")).to_be_visible()
    await eventually(lambda: b.rejection(room_id, "아직 들려?"))  # a block takes effect within a second
    await his.send("왜 답이 없어요?")
    unsent = his.message("왜 답이 없어요?")
    await expect(unsent).to_contain_text("이 사람에게는 메시지를 보낼 수 없어요")

    await hers.open("/settings/blocked")
    await hers.page.get_by_role("listitem").filter(has_text="Ben").get_by_role("button", name="차단 풀기").click()
    await expect(hers.page.get_by_text("차단한 사람이 없어요")).to_be_visible()
    await hers.enter(room_id)
    await expect(hers.message("왜 답이 없어요?")).to_have_count(0)
    await his.resend("왜 답이 없어요?")
    await hers.sees("왜 답이 없어요?")
