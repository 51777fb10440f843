"""Network failures: no written message is lost or duplicated, and the order stays."""

import asyncio
import json
import re

from chat import Chat
from conftest import OpenDevice, SomeOne
from device import GAP, NETWORK
from people import Person, say_all
from playwright.async_api import WebSocketRoute, expect
from stack import Stack
from waiting import eventually
from websockets.exceptions import InvalidStatus


async def stored(person: Person, room_id: str) -> list[str]:
    """Return the texts on the server, in order."""
    return [message["body"] for message in (await person.messages(room_id))["items"]]


async def test_messages_written_offline_wait_and_go_out_in_order(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("지하철", ben)
    chat = await Chat(await device(ana)).enter(room_id)
    await chat.send("타기 전")
    await chat.device.go_offline()
    written = [f"터널에서 {number}" for number in range(1, 6)]
    for text in written:
        await chat.send(text)
    await expect(chat.page.get_by_text("오프라인 – 보낸 메시지는 연결되면 전송돼요").first).to_be_visible()
    b = await ben.open()
    await b.send(room_id, "어디야?")
    await chat.device.go_online()
    await chat.sees("어디야?")
    await expect(chat.page.get_by_text("오프라인 –")).to_have_count(0)
    await chat.settled()
    bodies = await stored(ben, room_id)
    assert [body for body in bodies if body != "어디야?"] == ["타기 전", *written]
    assert sorted(await chat.bodies()) == sorted(bodies)


async def test_a_pending_message_survives_a_reload_without_network(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("산속", ben)
    chat = await Chat(await device(ana, service_workers="allow")).enter(room_id)
    await chat.send("출발")
    await chat.can_do_without_network("출발")
    await chat.device.go_offline()
    await chat.send("신호가 없네")
    await chat.send("내려가면 보낼게")
    await chat.page.reload()
    await chat.sees("출발", "신호가 없네", "내려가면 보낼게")
    await chat.device.go_online()
    await chat.settled()
    assert await stored(ben, room_id) == ["출발", "신호가 없네", "내려가면 보낼게"]
    await chat.page.reload()
    await chat.sees("내려가면 보낼게")
    await expect(chat.articles).to_have_count(3)


async def both_gateways_take(person: Person) -> bool:
    """Return whether both gateways accept connections; nginx alternates between them."""
    try:
        for socket in [await person.open() for _ in range(4)]:
            await socket.close()
    except InvalidStatus:
        return False
    return True


async def test_a_gateway_killed_while_two_people_write(device: OpenDevice, someone: SomeOne, stack: Stack):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("흔들림", ben)
    hers, his = Chat(await device(ana)), Chat(await device(ben))
    for chat in (hers, his):
        chat.device.expects(*NETWORK)
        await chat.enter(room_id)

    async def write(chat: Chat, name: str) -> list[str]:
        texts = [f"{name} {number}" for number in range(1, 8)]
        for text in texts:
            await chat.send(text)
        return texts

    async def kill() -> None:
        for gateway in ("chat-gateway-1", "chat-gateway-2"):
            await hers.articles.nth(2).wait_for()
            await asyncio.to_thread(stack.kill, gateway)

    a, b, _ = await asyncio.gather(write(hers, "아나"), write(his, "벤"), kill())
    await hers.settled()
    await his.settled()
    bodies = await stored(ana, room_id)
    assert [body for body in bodies if body.startswith("아나")] == a
    assert [body for body in bodies if body.startswith("벤")] == b
    for chat in (hers, his):
        await expect(chat.articles).to_have_count(len(bodies))
        assert await chat.bodies() == bodies
    await eventually(lambda: both_gateways_take(ben))


class Network:
    """The page's WebSockets, which can be cut and kept cut while the rest of the network works.

    They lose the next frame from the server whose `op` is `loses`.
    """

    def __init__(self) -> None:
        self.cut = False
        self.loses: str | None = None
        self.sockets: list[WebSocketRoute] = []

    async def opened(self, socket: WebSocketRoute) -> None:
        if self.cut:
            await socket.close(code=1001)
        else:
            socket.connect_to_server().on_message(lambda frame: self._forward(socket, frame))
            self.sockets.append(socket)

    def _forward(self, socket: WebSocketRoute, frame: str | bytes) -> None:
        if json.loads(frame)["op"] == self.loses:
            self.loses = None
        else:
            socket.send(frame)

    async def fail(self) -> None:
        self.cut = True
        for socket in self.sockets:
            await socket.close(code=1001)


# The time at which the connection bar was first drawn.
BAR_NOTED = """() => {
  const began = performance.now();
  window.barAfter = null;
  new MutationObserver(() => {
    if (document.querySelector(".link-bar")) window.barAfter ??= performance.now() - began;
  }).observe(document.body, { childList: true, subtree: true });
}"""


async def test_offline_and_reconnecting_look_different_and_show_only_after_a_while(
    device: OpenDevice, someone: SomeOne
):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("터널", ben)
    chat, network = Chat(await device(ana)), Network()
    await chat.page.route_web_socket("**/api/chat/ws", network.opened)
    await chat.enter(room_id)
    await chat.send("출발")
    await chat.settled()
    offline = chat.page.get_by_text("오프라인 – 보낸 메시지는 연결되면 전송돼요")
    again = chat.page.get_by_text("다시 연결하는 중이에요. 보낸 메시지는 연결되면 전송돼요")

    await chat.page.evaluate(BAR_NOTED)
    await network.fail()
    await chat.send("들리나?")
    await expect(again.first).to_be_visible()
    await expect(offline).to_have_count(0)
    assert await chat.page.evaluate("window.barAfter") > 1_900
    network.cut = False
    await chat.page.get_by_role("button", name="다시 시도").first.click()
    await expect(again).to_have_count(0)
    await chat.settled()

    await chat.page.evaluate(BAR_NOTED)
    await chat.device.go_offline()
    await expect(offline.first).to_be_visible()
    await expect(again).to_have_count(0)
    assert await chat.page.evaluate("window.barAfter") > 1_900
    await chat.device.go_online()
    await expect(offline).to_have_count(0)
    assert await stored(ben, room_id) == ["출발", "들리나?"]


async def test_an_edit_that_is_lost_on_the_wire_appears_with_the_next_message(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("약속", ben)
    b = await ben.open()
    first = await b.send(room_id, "여섯 시에 봐")
    chat, network = Chat(await device(ana)), Network()
    chat.device.expects(GAP)
    await chat.page.route_web_socket("**/api/chat/ws", network.opened)
    await chat.enter(room_id)
    await chat.says("여섯 시에 봐")
    await chat.page.evaluate("window.loadedOnce = true")

    network.loses = "message.edited"
    edited = await b.ask("message.edit", room_id=room_id, seq=first["seq"], body="일곱 시에 봐")
    await eventually(lambda: network.loses is None)
    await chat.says("여섯 시에 봐")
    later = await b.send(room_id, "늦지 마")
    await chat.says("일곱 시에 봐", "늦지 마")
    (gap,) = [trouble for trouble in chat.device.troubles if GAP in trouble]
    assert f"Room {room_id}: expected version {edited['version']}, received {later['version']}." in gap
    assert len(network.sockets) == 2
    assert await chat.page.evaluate("window.loadedOnce")
    await b.send(room_id, "알겠지?")
    await chat.says("일곱 시에 봐", "늦지 마", "알겠지?")
    assert len(network.sockets) == 2


async def test_after_a_sleep_missed_messages_appear_and_nothing_else_changes(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("노트북", ben)
    b = await ben.open()
    await say_all(b, room_id, (f"{number}번 글" for number in range(1, 61)))
    a = await ana.open()
    await a.ask("room.read", room_id=room_id, seq=60)
    chat = await Chat(await device(ana)).enter(room_id)
    await expect(chat.said("60번 글")).to_be_in_viewport()
    await chat.composer.fill("덮개를 닫기 전에 쓰던 글")
    await chat.log.hover()
    await chat.page.mouse.wheel(0, -1200)
    await eventually(lambda: chat.at_rest(frames=15))
    before = await chat.middle_place()
    session = await chat.device.context.new_cdp_session(chat.page)
    await chat.device.go_offline()
    await session.send("Page.setWebLifecycleState", {"state": "frozen"})
    for number in range(3):
        await b.send(room_id, f"자는 사이 {number}")
    await session.send("Page.setWebLifecycleState", {"state": "active"})
    await chat.device.go_online()
    await expect(chat.page.get_by_text("새 메시지 3개")).to_be_visible(timeout=40_000)
    assert abs(await chat.top_of(before.text) - before.top) <= 1
    await expect(chat.composer).to_have_value("덮개를 닫기 전에 쓰던 글")
    await chat.page.get_by_role("button", name="맨 아래로").click()
    for number in range(3):
        await expect(chat.said(f"자는 사이 {number}")).to_be_in_viewport()


async def test_a_rejected_message_stays_until_it_is_retried_or_discarded(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    a, b = await ana.open(), await ben.open()
    chat = await Chat(await device(ana)).enter(room_id)
    await ben.call("PUT", f"/social/blocks/{ana.id}", status=204)
    await eventually(lambda: a.rejection(room_id, "아직"))  # a block takes effect within a second
    for text in ("막혔나?", "그럼 말고"):
        await chat.send(text)
        await expect(chat.message(text).get_by_role("button", name="다시 보내기")).to_be_visible()
    before = await stored(ana, room_id)
    await chat.says(*before, "막혔나?", "그럼 말고")

    await chat.page.reload()
    await chat.says(*before, "막혔나?", "그럼 말고")
    await expect(chat.room("Ben")).to_contain_text("보내지 못한 메시지")
    await chat.message("그럼 말고").get_by_role("button", name="삭제").click()
    await ben.call("DELETE", f"/social/blocks/{ana.id}", status=204)
    await b.send(room_id, "이제 풀었어")
    await chat.says(*before, "막혔나?", "이제 풀었어")
    await chat.resend("막혔나?")
    await chat.page.reload()
    await chat.says(*before, "이제 풀었어", "막혔나?")
    assert await stored(ana, room_id) == [*before, "이제 풀었어", "막혔나?"]
    await expect(chat.room("Ben")).not_to_contain_text("보내지 못한 메시지")


async def test_two_tabs_of_one_person_agree(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("두 탭", ben)
    first = Chat(await device(ana))
    await first.enter(room_id)
    second = Chat(await first.device.tab())
    await second.enter(room_id)
    await second.composer.blur()
    await first.page.bring_to_front()
    await first.composer.fill("다른 탭에서도 보이는 글")
    await expect(second.composer).to_have_value("다른 탭에서도 보이는 글")
    await first.composer.press("Enter")
    await second.sees("다른 탭에서도 보이는 글")
    await expect(second.composer).to_have_value("")
    await first.page.goto("/friends")
    await second.page.goto("/friends")
    b = await ben.open()
    await b.send(room_id, "하나")
    await b.send(room_id, "둘")
    for chat in (first, second):
        await expect(chat.page).to_have_title(re.compile(r"\(2\)"))
    await second.page.bring_to_front()
    await second.page.goto(f"/rooms/{room_id}")
    for chat in (first, second):
        await expect(chat.page).not_to_have_title(re.compile(r"\(\d\)"))
    assert await stored(ben, room_id) == [
        "다른 탭에서도 보이는 글",
        "하나",
        "둘",
    ]


async def test_a_session_revoked_elsewhere_sends_every_tab_to_the_sign_in(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("비밀", ben)
    phone = await ana.log_in_again()
    lost = Chat(await device(phone))
    lost.device.expects(*NETWORK, r"status of 401")
    await lost.enter(room_id)
    await lost.send("잃어버린 전화기에서")
    tab = Chat(await lost.device.tab())
    await tab.enter(room_id)
    mine = await device(ana)
    await mine.page.goto("/settings/devices")
    await mine.page.get_by_role("button", name="다른 기기 모두 로그아웃").click()
    for chat in (lost, tab):
        await expect(chat.page.get_by_text("이 기기의 로그인이 끝났어요")).to_be_visible()
    assert "잃어버린" not in await lost.everything_stored()
