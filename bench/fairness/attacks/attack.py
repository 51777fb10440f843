"""One attack: where it is directed, how long it lasts, and what it achieved."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from bench.client.crowd import reason_of
from bench.client.http_client import HttpClient
from bench.client.socket import Client, Socket, masked
from bench.tally import until

SOCKETS = 10
CALLERS = 24
BUFFERED = 1 << 18
"""Bytes that may wait in a socket of the attacker before it pauses."""
MOMENT_S = 0.005
"""The attacker's pause after a refusal, so that it does not only test how fast the attacker is."""

Request = tuple[str, str, bytes]
"""Method, path and body."""


class Order(msgspec.Struct, kw_only=True):
    """An attack, and what the attacker knows: sessions of its account, and people and rooms."""

    attack: str
    seconds: float
    port: int
    address: str
    cookies: list[str]
    user_ids: list[str]
    logins: list[str]
    shared_room: str
    """A room of everybody, of which the attacker is the owner."""
    long_room: str
    messages: int
    folder: str
    """A folder with costly pictures."""


class Effort(msgspec.Struct, kw_only=True):
    seconds: float
    counts: dict[str, int]


class Attack:
    def __init__(self, order: Order) -> None:
        self.order = order
        self.counts: Counter[str] = Counter()
        self._began = time.perf_counter()
        self._turns = itertools.count()

    @property
    def goes_on(self) -> bool:
        return time.perf_counter() - self._began < self.order.seconds

    def next_number(self) -> int:
        return next(self._turns)

    def effort(self) -> Effort:
        return Effort(seconds=time.perf_counter() - self._began, counts=dict(self.counts))

    def picture(self, name: str) -> bytes:
        return (Path(self.order.folder) / name).read_bytes()

    def browser(self, number: int) -> HttpClient:
        """Return a connection with one of the attacker's sessions."""
        cookies = self.order.cookies
        return HttpClient(self.order.port, cookies[number % len(cookies)], self.order.address)

    async def join(self, number: int) -> Socket | None:
        """Open a socket with one of the attacker's sessions. Returns None, and counts the reason, if that fails."""
        cookies = self.order.cookies
        try:
            client = await Client.join(self.order.port, cookies[number % len(cookies)], self.order.address)
        except (OSError, TimeoutError) as error:
            self.counts[f"upgrade: {reason_of(error)}"] += 1
            await asyncio.sleep(MOMENT_S * 10)
            return None
        self.counts["sockets"] += 1
        return client.socket

    async def request(self, browser: HttpClient, request: Request, content_type: str = "application/json") -> int:
        """Send a request, count its status and return it. Returns 0 if the connection broke."""
        try:
            status, answer = await browser.call(*request, content_type)
        except (OSError, EOFError, TimeoutError):
            self.counts["broken connections"] += 1
            browser.close()
            await asyncio.sleep(MOMENT_S)
            return 0
        self.counts["requests"] += 1
        self.counts["bytes"] += len(request[2]) + len(answer)
        self.counts[f"status {status}"] += 1
        if status in (429, 503):
            await asyncio.sleep(MOMENT_S)
        return status

    async def by_http(
        self, next_request: Callable[[], Request], content_type: str = "application/json", callers: int = CALLERS
    ) -> None:
        """Send requests on many connections, each without a pause."""

        async def go(number: int) -> None:
            browser = self.browser(number)
            await self.request(browser, next_request(), content_type)  # at least once, however slow the machine is
            while self.goes_on:
                await self.request(browser, next_request(), content_type)
            browser.close()

        await self.at_once(callers, go)

    async def by_sockets(
        self, write: Callable[[Socket], Awaitable[None]], sockets: int = SOCKETS, first: bytes = b""
    ) -> None:
        """Keep sockets open, and let `write` use each of them again and again. A closed socket is replaced.

        `first` is written on each new socket.
        """

        async def go(number: int) -> None:
            while self.goes_on:
                if (socket := await self.join(number)) is None or socket.transport.is_closing():
                    continue
                self.write(socket, first, frames=0)
                await write(socket)
                while self.goes_on and not socket.transport.is_closing():
                    await write(socket)
                if socket.close_code or socket.lost:
                    self.counts[f"closed {socket.close_code or 'without a code'}"] += 1
                socket.close()

        await self.at_once(sockets, go)

    async def flood(self, frames: bytes, number: int, first: bytes = b"") -> None:
        """Write these frames, `number` in all, as fast as sockets take them; on a new socket, `first` before them."""

        async def write(socket: Socket) -> None:
            await self.written(socket, BUFFERED)
            self.write(socket, frames, number)
            await asyncio.sleep(0)

        await self.by_sockets(write, first=first)

    def write(self, socket: Socket, data: bytes, frames: int = 1) -> None:
        """Write frames, unless the socket is closed."""
        if data and not socket.transport.is_closing():
            socket.transport.write(data)
            self.counts["frames"] += frames
            self.counts["bytes"] += len(data)

    async def written(self, socket: Socket, left: int = 0) -> None:
        """Wait until at most `left` bytes wait in the socket, or until the attack or the socket ends."""
        transport = socket.transport
        await until(
            lambda: transport.get_write_buffer_size() <= left or socket.lost or not self.goes_on, self.order.seconds
        )

    async def at_rate(self, next_frame: Callable[[], object], per_second: float, sockets: int = SOCKETS) -> None:
        """Send frames on each socket at a rate, in tenths of a second."""

        async def write(socket: Socket) -> None:
            for _ in range(round(per_second / 10)):
                frame = masked(msgspec.json.encode(next_frame()))
                self.write(socket, frame)
            await asyncio.sleep(0.1)

        await self.by_sockets(write, sockets)

    async def at_once(self, count: int, go: Callable[[int], Awaitable[None]]) -> None:
        await asyncio.gather(*(go(number) for number in range(count)))
