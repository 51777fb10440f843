"""Content for the pictures: after `make seed`, demo users send messages of every kind."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from landscape import landscape
from people import Frame, Person

PASSWORD = "honey-on-warm-paper-7"
TRIP = "제주도 여행 준비"


BROWSERS = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/18.6 Mobile Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
)


async def log_in(url: str, webchat_id: str, browser: str = BROWSERS[0]) -> Person:
    http = httpx.AsyncClient(base_url=url, timeout=30, headers={"User-Agent": browser})
    person = Person(http, url, password=PASSWORD)
    person.user = await person.call("POST", "/auth/login", json={"login": webchat_id, "password": PASSWORD})
    return person


async def upload(person: Person, room_id: str, name: str, content: bytes, type_: str) -> str:
    answer = await person.call(
        "POST", "/media/attachments", status=201,
        data={"room_id": room_id, "client_id": str(uuid.uuid4())}, files={"file": (name, content, type_)},
    )  # fmt: skip
    return str(answer["attachment_id"])


async def rooms_of(person: Person) -> list[Frame]:
    page = await person.call("GET", "/rooms", params={"limit": 200})
    items: list[Frame] = page["items"]
    return items


class Talk:
    """Users in one room, each with a socket."""

    def __init__(self, room_id: str, people: dict[str, Person]) -> None:
        self.room_id, self.people = room_id, people

    async def say(self, who: str, body: str, **fields: Any) -> int:
        person = self.people[who]
        socket = person.sockets[0] if person.sockets else await person.open()
        return int((await socket.send(self.room_id, body, **fields))["seq"])

    async def react(self, who: str, seq: int, emoji: str) -> None:
        person = self.people[who]
        socket = person.sockets[0] if person.sockets else await person.open()
        await socket.ask("message.react", room_id=self.room_id, seq=seq, emoji=emoji)

    async def read(self, who: str, seq: int) -> None:
        person = self.people[who]
        socket = person.sockets[0] if person.sockets else await person.open()
        await socket.ask("room.read", room_id=self.room_id, seq=seq)


@asynccontextmanager
async def demo_content(url: str) -> AsyncIterator[dict[str, str]]:
    """Fill the seeded instance. Yields the IDs that the pictures need, and keeps most users online."""
    names = ("minji", "junho", "seoyeon", "haeun", "jiwoo", "emma", "liam", "sofia", "noah")
    people = {name: await log_in(url, name) for name in names}
    try:
        for name in ("minji", "junho"):
            await _read_all(people[name])
        trip = await _plan_the_trip(people)
        work = await _talk_at_work(people)
        await _wait_for_minji(people)
        await people.pop("minji").close()
        yield {"trip": trip, "work": work, "friend": people["seoyeon"].id}
    finally:
        for person in people.values():
            await person.close()


async def _read_all(person: Person) -> None:
    socket = await person.open()
    for room in await rooms_of(person):
        if room["last_seq"]:
            await socket.ask("room.read", room_id=room["room_id"], seq=room["last_seq"])


async def _plan_the_trip(people: dict[str, Person]) -> str:
    others = [people[name] for name in ("junho", "jiwoo", "haeun", "seoyeon")]
    talk = Talk(await people["minji"].group(TRIP, *others), people)
    await talk.say("junho", "11월 말 제주 항공권 지금이 제일 싸요. 언제 갈까요?")
    await talk.say("haeun", "저는 28일부터 휴가예요 🙌")
    first = await talk.say("seoyeon", "다들 숙소 후보 봤어요? 애월 쪽이 바다 바로 앞이래요")
    view = await upload(people["seoyeon"], talk.room_id, "애월.jpg", landscape(0), "image/jpeg")
    seen = await talk.say("seoyeon", "", attachment_ids=[view])
    for who in ("junho", "haeun", "minji"):
        await talk.react(who, seen, "😍")
    await talk.react("jiwoo", seen, "👍")
    for who in ("junho", "jiwoo"):
        await talk.read(who, seen)
    haeun = people["haeun"].id
    await talk.say("minji", "여기 너무 좋은데요? @정하은 날짜 괜찮아요?", reply_to=first, mentions=[haeun])
    mine = await talk.say("minji", "저는 **4일 이후**면 다 돼요")
    await talk.read("junho", mine)
    plan = await upload(
        people["jiwoo"], talk.room_id, "제주_3박4일_일정.pdf", b"%PDF-1.4\n" + b"0" * 1_240_000, "application/pdf"
    )
    await talk.say("jiwoo", "", attachment_ids=[plan])
    more = [await upload(people["jiwoo"], talk.room_id, f"후보{n}.jpg", landscape(n), "image/jpeg") for n in (1, 2, 3)]
    await talk.say("jiwoo", "다른 후보도 올려요", attachment_ids=more)
    await talk.say("jiwoo", "렌터카는 제가 예약할게요!")
    return talk.room_id


async def _talk_at_work(people: dict[str, Person]) -> str:
    room_id = next(str(room["room_id"]) for room in await rooms_of(people["minji"]) if room["title"] == "Product team")
    talk = Talk(room_id, people)
    asked = await talk.say("liam", "Who can look at the release notes before five?")
    await talk.say("emma", "I can. Draft is here: https://example.org/notes/4")
    await talk.react("liam", asked, "🙏")
    code = await talk.say("noah", "The fix is one line: `retry.limit = 3`, then **restart the workers**.")
    await talk.react("minji", code, "🎉")
    await talk.react("emma", code, "🎉")
    await talk.say(
        "minji", "Reading it now. @Emma Clarke, shall we ship today?", reply_to=asked, mentions=[people["emma"].id]
    )
    await talk.read("emma", code + 1)
    await talk.say("emma", "Yes, let's. The dashboard looks calm.")
    return room_id


async def _wait_for_minji(people: dict[str, Person]) -> None:
    """Send messages that stay unread in some of Minji's rooms."""
    direct = {room["peer_id"]: room["room_id"] for room in await rooms_of(people["minji"]) if room["kind"] == "direct"}
    haeun = Talk(direct[people["haeun"].id], people)
    await haeun.say("haeun", "사진 보냈어요 📷 이거 진짜 예쁘지 않아요?")
    await haeun.say("haeun", "주말에 같이 가요!")
    await Talk(direct[people["emma"].id], people).say("emma", "Lunch on Thursday?")
