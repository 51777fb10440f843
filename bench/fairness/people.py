"""Ordinary people: they write, read, search, upload and sign in at a steady rate, and every action is timed.

Each person has an address, so that the limits by address count people. Times count from the moment at which an action
was due, so that a stall is not hidden by fewer actions.
"""

import asyncio
import itertools
import math
import random
import time
from collections.abc import Awaitable, Callable

from bench.chats import WebChat
from bench.client.accounts import open_group, sign_in_request
from bench.client.form import CONTENT_TYPE, UPLOAD, form
from bench.client.http_client import HttpClient
from bench.client.socket import Client, decode
from bench.fairness.judge import Sample
from bench.fairness.person import Person, draw_picture, sign_up_person
from bench.server.stack import Server
from bench.tally import Tally, open_loop

PATIENCE_S = 10.0
"""An action without an answer after this time has failed."""
RECOVERY_S = 60.0
AT_ONCE_S = 0.25
"""Pings of everybody that are answered within this time show that an attack is over."""
ROOM = 4
"""Members of a room of ordinary people."""
PAGE = 50
SENDS = 10.0
RATES = {
    "newest page": 5.0,
    "page over a socket": 4.0,
    "deep page": 4.0,
    "search": 3.0,
    "upload": 0.5,
    "sign-in": 1.0,
    "reconnect": 1.0,
}
"""Actions in a second, of all people together."""
PICTURES = 8


class Unexpected(Exception):
    """An answer that an ordinary person should not get."""


class People:
    def __init__(self, server: Server, people: list[Person]) -> None:
        self.people = people
        self.chat = WebChat(server, [person.account for person in people])
        self.long_room, self.messages = "", 0
        self._port = server.port
        self._pictures = [draw_picture() for _ in range(PICTURES)]
        self._actions: dict[str, Callable[[Person], Awaitable[None]]] = {
            "newest page": self._newest_page,
            "page over a socket": self._page_over_socket,
            "deep page": self._deep_page,
            "search": self._search,
            "upload": self._upload,
            "sign-in": self._sign_in,
            "reconnect": self._reconnect,
        }

    @classmethod
    async def sign_up(cls, server: Server, count: int) -> "People":
        people = cls(server, [await sign_up_person(server.port, f"127.0.1.{number}") for number in range(1, count + 1)])
        for start in range(0, count, ROOM):
            members = people.people[start : start + ROOM]
            room_id = await open_group(members[0].account, [one.account for one in members[1:]], f"table {start}")
            for member in members:
                member.room_id = room_id
        return people

    def show_history(self, room_id: str, messages: int) -> None:
        """Name the room whose history people read, and the number of its messages."""
        self.long_room, self.messages = room_id, messages

    async def live(self, seconds: float) -> Sample:
        """Let everybody act for the given seconds, and return what they noticed."""
        sample = Sample()
        tally = await self._take_seats()
        tasks: list[asyncio.Task[None]] = []

        def acting(action: str) -> Callable[[float], None]:
            turns = itertools.cycle(random.sample(self.people, len(self.people)))
            return lambda due: tasks.append(asyncio.create_task(self._timed(action, next(turns), due, sample)))

        loops = [open_loop(rate, seconds, acting(action)) for action, rate in RATES.items()]
        await asyncio.gather(open_loop(SENDS, seconds, self._sending(tally)), *loops)
        await asyncio.gather(*tasks)
        await tally.finished(PATIENCE_S)
        sample.add("send to ack", tally.acks)
        sample.add("send to receipt", tally.receipts)
        self._count_losses(tally, sample)
        return sample

    async def recovered(self) -> float:
        """Wait until pings of everybody are answered at once. Returns the seconds, or infinity after a minute."""
        began = time.perf_counter()
        while (waited := time.perf_counter() - began) < RECOVERY_S:
            try:
                async with asyncio.timeout(AT_ONCE_S):
                    await asyncio.gather(*(self._ping(person) for person in self.people))
            except (OSError, TimeoutError):
                await asyncio.sleep(AT_ONCE_S)
            else:
                return waited
        return math.inf

    async def _ping(self, person: Person) -> None:
        if person.reader.socket.lost:
            person.reader = await Client.join(self._port, person.account.cookie, person.address)
        await person.reader.ask({"op": "ping", "id": "1"})

    async def _take_seats(self) -> Tally:
        """Make sure that everybody has sockets, and watch the messages on them."""
        tally = Tally(min(ROOM, len(self.people)))
        for person in self.people:
            if person.chat.socket.lost:
                person.chat = await Client.join(self._port, person.account.cookie, person.address)
            if person.reader.socket.lost:
                person.reader = await Client.join(self._port, person.account.cookie, person.address)
            person.chat.socket.on_text = tally.on_text
        return tally

    def _sending(self, tally: Tally) -> Callable[[float], None]:
        turns = itertools.cycle(self.people)

        def send(due: float) -> None:
            person, number = next(turns), tally.add(due)
            if not person.chat.socket.lost:  # otherwise the message counts as lost
                person.chat.socket.send(self.chat.message(person.room_id, number))

        return send

    def _count_losses(self, tally: Tally, sample: Sample) -> None:
        if tally.errors:
            sample.errors["send: refused"] += tally.errors
        if missing := len(tally.due) - len(tally.acks) - tally.errors:
            sample.errors["send: no answer"] += missing
        for socket in (socket for person in self.people for socket in (person.chat.socket, person.reader.socket)):
            if socket.lost:
                sample.errors[f"socket: closed with {socket.close_code or 'no code'}"] += 1

    async def _timed(self, action: str, person: Person, due: float, sample: Sample) -> None:
        """Do the action and record its time or its error."""
        try:
            async with asyncio.timeout(PATIENCE_S), person.locks.setdefault(action, asyncio.Lock()):
                await self._actions[action](person)
        except TimeoutError:
            sample.errors[f"{action}: no answer"] += 1
            sample.add(action, [time.perf_counter() - due])
            self._hang_up(action, person)
        except (OSError, EOFError) as error:
            sample.errors[f"{action}: {type(error).__name__}"] += 1
            self._hang_up(action, person)
        except Unexpected as error:
            sample.errors[f"{action}: {error}"] += 1
        else:
            sample.add(action, [time.perf_counter() - due])

    def _hang_up(self, action: str, person: Person) -> None:
        """Close the connection, whose next answer would be that of an earlier request."""
        if action == "sign-in":
            person.second_browser.close()
        elif action in person.browsers:
            person.browsers.pop(action).close()

    def _browser(self, action: str, person: Person) -> HttpClient:
        if action not in person.browsers:
            person.browsers[action] = HttpClient(self._port, person.account.cookie, person.address)
        return person.browsers[action]

    async def _get(self, action: str, person: Person, path: str) -> None:
        status, _ = await self._browser(action, person).call("GET", path)
        _expect(200, status)

    async def _newest_page(self, person: Person) -> None:
        await self._get("newest page", person, f"/api/rooms/{person.room_id}/messages?limit={PAGE}")

    async def _deep_page(self, person: Person) -> None:
        before = random.randint(PAGE + 1, self.messages)
        await self._get("deep page", person, f"/api/rooms/{self.long_room}/messages?limit={PAGE}&before={before}")

    async def _search(self, person: Person) -> None:
        wanted = random.randint(1, self.messages)
        await self._get("search", person, f"/api/rooms/search?q={wanted:08d}&room_id={self.long_room}")

    async def _page_over_socket(self, person: Person) -> None:
        if person.reader.socket.lost:
            raise ConnectionResetError
        ask = {"op": "message.list", "id": "1", "room_id": self.long_room, "limit": PAGE}
        reply = await person.reader.ask(ask | {"before": random.randint(PAGE + 1, self.messages)})
        if reply.startswith(b'{"op":"error"'):
            raise Unexpected(decode(reply).code)

    async def _upload(self, person: Person) -> None:
        body = form(person.room_id, random.choice(self._pictures), "boat.png")
        status, _ = await self._browser("upload", person).call("POST", UPLOAD, body, CONTENT_TYPE)
        _expect(201, status)

    async def _sign_in(self, person: Person) -> None:
        """Sign in again with a browser that was used before."""
        status, _ = await person.second_browser.call(*sign_in_request(person.account.login))
        _expect(200, status)

    async def _reconnect(self, person: Person) -> None:
        client = await Client.join(self._port, person.account.cookie, person.address)
        client.socket.close()


def _expect(expected: int, status: int) -> None:
    if status != expected:
        raise Unexpected(f"status {status}")
