"""Stories 3 and 4: long rooms are paged in every direction; edits and deletions apply everywhere."""

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import pytest
from people import Frame, Person, Rejected, Socket
from redis import Redis
from stack import Stack
from waiting import eventually

SomeOne = Callable[[str], Awaitable[Person]]


async def fill(socket: Socket, room_id: str, count: int, *, prefix: str = "message") -> None:
    for start in range(0, count, 50):
        numbers = range(start, min(start + 50, count))
        await asyncio.gather(*(socket.send(room_id, f"{prefix} {n}") for n in numbers))


def seqs(page: Frame) -> list[int]:
    return [message["seq"] for message in page["messages"]]


async def test_1500_messages_in_every_direction(someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    a = await ana.open()
    await fill(a, room_id, 1500)

    async def page(**choice: object) -> Frame:
        answer = await a.ask("message.list", room_id=room_id, **choice)
        over_http = await ben.messages(room_id, **choice)
        assert over_http["items"] == answer["messages"]
        assert over_http["has_more"] == answer["has_more"]
        return answer

    newest = await page()
    assert (seqs(newest), newest["has_more"]) == (list(range(1451, 1501)), True)
    backward: list[int] = []
    before = 1501
    while True:
        part = await page(before=before, limit=200)
        backward = seqs(part) + backward
        if not part["has_more"]:
            break
        before = backward[0]
    assert backward == list(range(1, 1501))
    after, forward = 0, []
    while True:
        part = await (page(after=after, limit=170) if after else page(before=171, limit=170))
        forward += seqs(part)
        after = forward[-1]
        if after == 1500:
            break
    assert forward == list(range(1, 1501))
    assert not part["has_more"]
    around = seqs(await page(around=700, limit=21))
    assert (700 in around, around) == (True, list(range(around[0], around[0] + 21)))
    assert abs((700 - around[0]) - (around[-1] - 700)) <= 1
    assert seqs(await page(offset=0, limit=10)) == list(range(1491, 1501))
    assert seqs(await page(offset=1495, limit=10)) == list(range(1, 6))
    at = (await page(around=333, limit=1))["messages"][0]["at"]
    assert (await page(at=at, limit=10))["messages"][0]["at"] == at
    for choice in ({"before": 5, "after": 3}, {"limit": 201}, {"limit": 0}, {"before": 0}, {"offset": -1}, {"at": "x"}):
        with pytest.raises(Rejected) as rejected:
            await a.ask("message.list", room_id=room_id, **choice)
        assert rejected.value.code == "invalid"
        await ana.call("GET", f"/rooms/{room_id}/messages", params=choice, status=422)


async def test_the_recent_page_with_redis_full_partly_filled_and_empty(someone: SomeOne, stack: Stack):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    a = await ana.open()
    await fill(a, room_id, 130)
    redis = stack.redis()
    truth = (await ben.messages(room_id, limit=100))["items"]
    empty = await a.ask("message.list", room_id=room_id, limit=100)
    full = await a.ask("message.list", room_id=room_id, limit=100)
    assert empty["messages"] == full["messages"] == truth
    sent = await a.send(room_id, "later")
    await a.ask("message.react", room_id=room_id, seq=sent["seq"], emoji="🎉")
    await a.ask("message.edit", room_id=room_id, seq=sent["seq"], body="later, edited")
    partly = await a.ask("message.list", room_id=room_id, limit=100)
    assert partly["messages"][-1]["body"] == "later, edited"
    assert partly["messages"] == (await ben.messages(room_id, limit=100))["items"]
    for kind in ("log", "page"):
        for key in redis.scan_iter(f"room:{{{room_id}}}:*:{kind}"):
            redis.delete(key)
        again = await a.ask("message.list", room_id=room_id, limit=100)
        assert again["messages"] == partly["messages"]
    redis.flushall()
    redis.close()
    assert (await a.ask("message.list", room_id=room_id, limit=100))["messages"] == partly["messages"]


@pytest.mark.parametrize("old", [False, True], ids=["recent", "long out of Redis"])
async def test_edit_and_delete(someone: SomeOne, stack: Stack, old: bool):
    ana, ben, stranger = await someone("ana"), await someone("ben"), await someone("stranger")
    room_id = await ana.direct(ben)
    a, b, s = await ana.open(), await ben.open(), await stranger.open()
    secret = f"secret-{uuid.uuid4().hex}"
    first = await a.send(room_id, secret)
    kept = await a.send(room_id, "kept")
    if old:
        await fill(a, room_id, 700, prefix="later")
    await b.ask("message.list", room_id=room_id)

    for socket, code in ((b, {"forbidden"}), (s, {"not_found", "forbidden"})):
        for op, fields in (("message.edit", {"body": "mine now"}), ("message.delete", {})):
            with pytest.raises(Rejected) as rejected:
                await socket.ask(op, room_id=room_id, seq=first["seq"], **fields)
            assert rejected.value.code in code
    assert (await b.ask("message.list", room_id=room_id, around=first["seq"], limit=3))["messages"][0]["body"] == secret

    edited = f"edited-{uuid.uuid4().hex}"
    await a.ask("message.edit", room_id=room_id, seq=first["seq"], body=edited)
    event = await b.event("message.edited", seq=first["seq"])
    assert (event["body"], event["by"]) == (edited, ana.id)
    same = await a.ask("message.edit", room_id=room_id, seq=first["seq"], body=edited)
    assert same["version"] >= event["version"]
    await b.ask("message.react", room_id=room_id, seq=first["seq"], emoji="👀")
    deleted = await a.ask("message.delete", room_id=room_id, seq=first["seq"])
    await b.event("message.deleted", seq=first["seq"])
    assert (await a.ask("message.delete", room_id=room_id, seq=first["seq"]))["version"] >= deleted["version"]
    with pytest.raises(Rejected) as rejected:
        await a.ask("message.edit", room_id=room_id, seq=first["seq"], body="back")
    assert rejected.value.code == "conflict"

    page = await b.ask("message.list", room_id=room_id, around=first["seq"], limit=3)
    gone = page["messages"][0]
    assert (gone["seq"], gone["deleted"], gone["body"], gone.get("reactions")) == (first["seq"], True, "", None)
    assert page["messages"][1]["seq"] == kept["seq"]
    still = f"still-{uuid.uuid4().hex}"
    await a.send(room_id, still)
    await nowhere(stack, ben, room_id, first["version"] - 1, (secret, edited), still)


def content_of(redis: Redis, key: bytes) -> Any:
    """Return the content of a key, or nothing if it has expired. DUMP would compress it."""
    readers: dict[bytes, Callable[[bytes], Any]] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1),
        b"stream": redis.xrange,
        b"none": lambda _: None,
    }
    return readers[redis.type(key)](key)


async def nowhere(stack: Stack, person: Person, room_id: str, cursor: int, texts: tuple[str, ...], still: str) -> None:
    """Assert that the texts are in no page, resume or Redis key, and that Redis does have `still`."""
    socket = await person.open(cursors={room_id: cursor}, epoch=person.sockets[-1].ready["epoch"])
    head = next(room["version"] for room in socket.ready["rooms"] if room["room_id"] == room_id)
    await socket.until(lambda s: s.events(room_id) and s.events(room_id)[-1]["version"] >= head)
    assert not re.search("|".join(texts), str(socket.received))
    newest = await socket.ask("message.list", room_id=room_id, limit=200)
    assert re.findall("|".join((*texts, still)), str(newest)) == [still]

    def found_in_redis() -> set[str]:
        with closing(stack.redis()) as redis:
            everything = repr([content_of(redis, key) for key in redis.scan_iter("*")])
        return {text for text in (*texts, still) if text in everything}

    await eventually(lambda: found_in_redis() == {still})
