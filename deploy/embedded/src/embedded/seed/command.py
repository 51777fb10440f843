"""`python -m embedded seed`: create the users, let them follow each other, then fill several rooms at a time."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TypeVar

from embedded.console import say
from embedded.seed.client import Account
from embedded.seed.dataset import DEMO, PASSWORD, PEOPLE, ROOMS, Room
from embedded.seed.scenes import conversation
from embedded.settings import Settings

T = TypeVar("T")

AT_ONCE = 6
SIGN_INS_AT_ONCE = 2
NAMESPACE = uuid.UUID("5f6c1c1e-6a0f-4f0c-9d5c-0d7a3f2b8e11")
"""Makes the `client_id` of every message the same in every run, so that a second run writes none again."""


def seed(settings: Settings) -> int:
    say(f"seeding {settings.url}")
    asyncio.run(_load(settings.url))
    say(f"done: log in as {' or '.join(DEMO)} with the password {PASSWORD}")
    return 0


async def _load(url: str) -> None:
    async with AsyncExitStack() as stack:
        people = {person.webchat_id: Account(url, person) for person in PEOPLE}
        for account in people.values():
            stack.push_async_callback(account.close)
        await _for_each(people.values(), Account.sign_in, at_once=SIGN_INS_AT_ONCE)
        await _for_each(people.values(), partial(_introduce, people), at_once=AT_ONCE)
        say(f"  people    {len(people)}")
        progress = Progress("messages", sum(room.messages for room in ROOMS))
        await _for_each(ROOMS, partial(_talk, people, progress), at_once=AT_ONCE)


async def _for_each(things: Iterable[T], work: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """Run the work for all things, `at_once` at a time. Raises the first failure."""
    limit = asyncio.Semaphore(at_once)

    async def one(thing: T) -> None:
        async with limit:
            await work(thing)

    await asyncio.gather(*map(one, things))


class Progress:
    """A counter that prints its progress ten times."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0

    def step(self) -> None:
        self._done += 1
        if self._done * 10 // self._total > (self._done - 1) * 10 // self._total:
            say(f"  {self._what:<10}{self._done} of {self._total}")


async def _introduce(people: Mapping[str, Account], account: Account) -> None:
    """Set the status message and follow the demo accounts. The two demo accounts follow everyone."""
    await account.call("PATCH", "/api/social/profiles/me", {"status_message": account.person.status_message})
    following = people if account.person.webchat_id in DEMO else DEMO
    for webchat_id in following:
        if webchat_id != account.person.webchat_id:
            await account.call("PUT", f"/api/social/following/{people[webchat_id].user_id}")


async def _talk(people: Mapping[str, Account], progress: Progress, room: Room) -> None:
    room_id = await _open(people, room)
    seqs: list[int] = []
    for index, line in enumerate(conversation(room)):
        message = {"client_id": str(uuid.uuid5(NAMESPACE, f"{room.key}/{index}")), "body": line.body}
        replies = {"reply_to": seqs[-line.replies_to]} if line.replies_to else {}
        sent = await people[line.speaker].call("POST", f"/api/rooms/{room_id}/messages", message | replies)
        seqs.append(sent["seq"])
        progress.step()


async def _open(people: Mapping[str, Account], room: Room) -> str:
    """Return the ID of the room, creating it if it does not exist."""
    host, *guests = (people[webchat_id] for webchat_id in room.people)
    if not room.title:
        opened = await host.call("POST", "/api/rooms", {"kind": "direct", "user_id": guests[0].user_id})
    elif (opened := await _find_group(host, room.title)) is None:
        user_ids = [guest.user_id for guest in guests]
        opened = await host.call("POST", "/api/rooms", {"kind": "group", "title": room.title, "user_ids": user_ids})
    return str(opened["room_id"])


async def _find_group(host: Account, title: str) -> dict[str, object] | None:
    cursor: dict[str, str] = {}
    while True:
        page = await host.call("GET", "/api/rooms", **cursor)
        for room in page["items"]:
            if room["kind"] == "group" and room["title"] == title:
                return dict(room)
        if page["next"] is None:
            return None
        cursor = {"cursor": page["next"]}
