"""Accounts and rooms for the scenes, made over the public API."""

import asyncio
import itertools
from dataclasses import dataclass

from bench.client.web import Web
from bench.client.wire import Talker

PASSWORD = "correct horse battery"  # noqa: S105 - of accounts in a temporary folder
SOCKETS_PER_USER = 20
OPENED_AT_ONCE = 16
_names = itertools.count(1)


@dataclass(frozen=True)
class Person:
    web: Web
    user_id: str
    login: str

    @property
    def cookie(self) -> str:
        return self.web.cookie


async def sign_up(port: int, count: int) -> list[Person]:
    return list(await asyncio.gather(*(_sign_up(port) for _ in range(count))))


async def _sign_up(port: int) -> Person:
    name = f"bench_{next(_names)}"
    web = Web(port)
    account = {"email": f"{name}@example.com", "password": PASSWORD, "webchat_id": name, "display_name": name}
    user = await web.json("POST", "/api/auth/signup", account, expected=201)
    return Person(web, user["user_id"], name)


async def open_group(owner: Person, others: list[Person], title: str) -> str:
    body = {"kind": "group", "title": title, "user_ids": [person.user_id for person in others]}
    room = await owner.web.json("POST", "/api/rooms", body, expected=201)
    return str(room["room_id"])


async def join_all(port: int, people: list[Person], count: int) -> list[Talker]:
    """`count` sockets, spread over the people, a few opened at once."""
    if count > SOCKETS_PER_USER * len(people):
        raise ValueError("more sockets than the people may have")
    gate = asyncio.Semaphore(OPENED_AT_ONCE)

    async def join(person: Person) -> Talker:
        async with gate:
            return await Talker.join(port, person.cookie)

    return list(await asyncio.gather(*(join(people[index % len(people)]) for index in range(count))))
