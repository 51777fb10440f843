"""Search: members find their messages by any part of the text, in Korean and English."""

import uuid
from collections.abc import Awaitable, Callable

from people import Person
from waiting import eventually

SomeOne = Callable[[str], Awaitable[Person]]


async def found(person: Person, q: str, **fields: str) -> list[str]:
    bodies: list[str] = []
    cursor: str | None = None
    while True:
        page = await person.call(
            "GET", "/rooms/search", params={"q": q, **fields} | ({"cursor": cursor} if cursor else {})
        )
        bodies += [message["body"] for message in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return bodies


async def test_only_members_find_messages(someone: SomeOne):
    ana, ben, late, stranger = [await someone(name) for name in ("ana", "ben", "late", "stranger")]
    room_id, other = await ana.group("One", ben), await ana.direct(ben)
    a = await ana.open()
    mark = uuid.uuid4().hex[:8]
    texts = [
        f"오늘 학교에서 만나 {mark}",
        f"Meet at SCHOOL {mark}",
        f"100% sure_{mark}",
        f"축하 🎉🎉 {mark}",
        f"ＷＩＤＥ {mark}",
    ]
    for text in texts:
        await a.send(room_id, text)
    await a.send(other, f"twice 학교 {mark}")
    await a.ask("room.invite", room_id=room_id, user_ids=[late.id])
    assert await found(ben, mark) == [f"twice 학교 {mark}", *reversed(texts)]
    assert await found(ben, "학교", room_id=room_id) == [texts[0]]
    assert await found(ben, f"school {mark}") == [texts[1]]
    assert await found(ben, f"sure_{mark}") == [texts[2]]
    assert await found(ben, f"sure%{mark}") == []
    assert await found(ben, f"🎉🎉 {mark}") == [texts[3]]
    assert await found(ben, f"wide {mark}") == [texts[4]]
    assert await found(late, mark) == await found(stranger, mark) == []
    await stranger.call("GET", "/rooms/search", params={"q": mark, "room_id": room_id}, status=404)
    await ana.call("GET", "/rooms/search", params={"q": "x"}, status=422)
    edited = (await ben.messages(room_id))["items"][0]["seq"]
    await a.ask("message.edit", room_id=room_id, seq=edited, body=f"내일 만나 {mark}")
    await a.ask("message.delete", room_id=room_id, seq=edited + 1)
    assert await found(ben, "학교에서", room_id=room_id) == []
    assert await found(ben, f"내일 만나 {mark}") == [f"내일 만나 {mark}"]
    assert await found(ben, f"school {mark}") == []


async def test_friends_are_found_by_initial_consonants(someone: SomeOne):
    ana, minji = await someone("ana"), await someone("minji")
    await minji.call("PATCH", "/social/profiles/me", json={"display_name": "김민지"})
    await ana.follow(minji)

    async def seen() -> bool:
        page = await ana.call("GET", "/social/profiles/search", params={"webchat_id": "ㄱㅁㅈ"})
        return [profile["user_id"] for profile in page["items"]] == [minji.id]

    await eventually(seen)
    page = await minji.call("GET", "/social/profiles/search", params={"webchat_id": "ㄱㅁㅈ"})
    assert page["items"] == []
