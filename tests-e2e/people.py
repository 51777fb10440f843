"""Test clients: users that sign up over HTTP and write over WebSockets, with the public protocol only."""

import asyncio
import itertools
import json
import socket as tcp
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
from waiting import PATIENCE_S
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]
_names = itertools.count(1)
TRUST = ssl.create_default_context()
"""Shared by all clients, because loading the certificates takes longer than signing up."""
_run = uuid.uuid4().hex[:6]

EVENTS = {
    "message.created", "message.edited", "message.deleted", "message.reacted",
    "member.joined", "member.left", "member.role_changed", "room.updated",
}  # fmt: skip


class Rejected(AssertionError):
    def __init__(self, reply: Frame) -> None:
        super().__init__(str(reply))
        self.code: str = reply["code"]
        self.reply = reply


@dataclass(eq=False)
class Socket:
    """One WebSocket: replies by ID, all other frames in `received`, in order of arrival."""

    connection: ClientConnection
    ready: Frame = field(default_factory=dict)
    received: list[Frame] = field(default_factory=list)
    replies: dict[str, asyncio.Future[Frame]] = field(default_factory=dict)
    close_code: int | None = None
    _reader: "asyncio.Task[None] | None" = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                self._take(json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            self.close_code = self.connection.close_code
            for reply in self.replies.values():
                if not reply.done():
                    reply.set_exception(ConnectionResetError("the socket closed"))
                    reply.exception()
            self._changed.set()

    def _take(self, frame: Frame) -> None:
        waiting = self.replies.pop(frame.get("id", ""), None) if frame["op"] in {"ok", "error"} else None
        if waiting is not None:
            if not waiting.done():
                waiting.set_result(frame)
        else:
            self.received.append(frame)
        self._changed.set()

    def start_reading(self) -> None:
        self.connection.transport.resume_reading()
        self._reader = asyncio.create_task(self._read())

    async def stop_reading(self) -> None:
        """Receive nothing more, until `start_reading`."""
        assert self._reader is not None
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        self.connection.transport.pause_reading()

    async def ask(self, op: str, *, seconds: float = PATIENCE_S, **fields: Any) -> Frame:
        """Send a frame and return its reply. Raises Rejected for an error."""
        frame_id = str(next(self._ids))
        reply: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self.replies[frame_id] = reply
        await self.connection.send(json.dumps({"op": op, "id": frame_id, **fields}))
        async with asyncio.timeout(seconds):  # wait_for of Python 3.11 may lose a cancellation to the reply
            answer = await reply
        if answer["op"] == "error":
            raise Rejected(answer)
        return answer

    async def send_frame(self, op: str, **fields: Any) -> None:
        await self.connection.send(json.dumps({"op": op, **fields}))

    async def until(self, check: Callable[[Self], Any], seconds: float = PATIENCE_S) -> Any:
        """Wait until `check(self)` is true. It is called after every received frame."""
        async with asyncio.timeout(seconds):
            while not (value := check(self)):
                self._changed.clear()
                if self.close_code is not None and not check(self):
                    raise AssertionError(f"the socket closed with {self.close_code}")
                await self._changed.wait()
        return value

    async def closed(self, seconds: float = PATIENCE_S) -> int | None:
        async with asyncio.timeout(seconds):
            await self.connection.wait_closed()
        return self.connection.close_code

    def events(self, room_id: str) -> list[Frame]:
        return [f for f in self.received if f["op"] in EVENTS and f["room_id"] == room_id]

    def of(self, op: str) -> list[Frame]:
        return [frame for frame in self.received if frame["op"] == op]

    async def event(self, op: str, seconds: float = PATIENCE_S, **fields: Any) -> Frame:
        """Wait for the first frame with this op and these fields."""

        def find(socket: Self) -> Frame | None:
            matching = (f for f in socket.of(op) if all(f.get(k) == v for k, v in fields.items()))
            return next(matching, None)

        frame: Frame = await self.until(find, seconds)
        return frame

    async def send(self, room_id: str, body: str, *, client_id: str | None = None, **fields: Any) -> Frame:
        return await self.ask(
            "message.send", room_id=room_id, client_id=client_id or str(uuid.uuid4()), body=body, **fields
        )

    async def send_until_accepted(self, room_id: str, body: str) -> Frame:
        """Repeat a message with the same client_id while the answer is `unavailable`."""
        client_id = str(uuid.uuid4())
        async with asyncio.timeout(2 * PATIENCE_S):
            while True:
                try:
                    return await self.send(room_id, body, client_id=client_id)
                except Rejected as rejected:
                    if rejected.code != "unavailable":
                        raise
                await asyncio.sleep(0.05)

    async def rejection(self, room_id: str, body: str) -> str | None:
        """Send a message and return the error code, or None if it is accepted."""
        try:
            await self.send(room_id, body)
        except Rejected as rejected:
            return rejected.code
        return None

    async def close(self) -> None:
        await self.connection.close()
        if self._reader is not None:
            await self._reader

    async def kill(self) -> None:
        """Drop the connection without a close frame."""
        self.connection.transport.abort()
        if self._reader is not None:
            await self._reader


@dataclass(eq=False)
class Person:
    """A signed-up user with one session."""

    http: httpx.AsyncClient
    url: str
    user: Frame = field(default_factory=dict)
    password: str = "correct horse battery"
    sockets: list[Socket] = field(default_factory=list)
    devices: list["Person"] = field(default_factory=list)

    @property
    def id(self) -> str:
        return str(self.user["user_id"])

    @property
    def cookie(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.http.cookies.jar)

    async def call(self, method: str, path: str, *, status: int | Iterable[int] = 200, **options: Any) -> Any:
        """Send a request below /api, check its status and return the decoded answer."""
        response = await self.http.request(method, f"/api{path}", **options)
        wanted = {status} if isinstance(status, int) else set(status)
        assert response.status_code in wanted, (method, path, response.status_code, response.text)
        return response.json() if response.content else None

    async def open(self, *, hello: bool = True, receive_buffer: int | None = None, **options: Any) -> Socket:
        """Connect, and unless `hello` is false complete the handshake with `options`."""
        connection = await connect(
            self.url.replace("http", "ws", 1) + "/api/chat/ws",
            subprotocols=["webchat.v1"],  # type: ignore[list-item]
            additional_headers={"Cookie": self.cookie},
            compression=None,
            max_size=None,
            max_queue=None,
            proxy=None,
            sock=self._tcp(receive_buffer),
        )
        socket = Socket(connection)
        self.sockets.append(socket)
        socket.start_reading()
        if hello:
            await self.hello(socket, **options)
        return socket

    def _tcp(self, receive_buffer: int | None) -> tcp.socket:
        address = httpx.URL(self.url)
        connection = tcp.socket()
        if receive_buffer is not None:
            connection.setsockopt(tcp.SOL_SOCKET, tcp.SO_RCVBUF, receive_buffer)
        try:
            connection.connect((address.host, address.port or 80))
        except OSError:
            connection.close()
            raise
        connection.setblocking(False)
        return connection

    async def hello(self, socket: Socket, **options: Any) -> Frame:
        await socket.send_frame("hello", **options)
        socket.ready = await socket.event("ready")
        return socket.ready

    async def log_in_again(self) -> "Person":
        """Return the same user on another device."""
        device = Person(http_client(self.url), self.url, self.user, self.password)
        login = {"login": self.user["webchat_id"], "password": self.password}
        self.devices.append(device)
        await device.call("POST", "/auth/login", json=login)
        return device

    async def direct(self, other: "Person") -> str:
        room = await self.call("POST", "/rooms", json={"kind": "direct", "user_id": other.id}, status={200, 201})
        return str(room["room_id"])

    async def group(self, title: str, *others: "Person") -> str:
        body = {"kind": "group", "title": title, "user_ids": [other.id for other in others]}
        return str((await self.call("POST", "/rooms", json=body, status=201))["room_id"])

    async def follow(self, other: "Person") -> None:
        await self.call("PUT", f"/social/following/{other.id}", status=204)

    async def messages(self, room_id: str, **choice: Any) -> Frame:
        page: Frame = await self.call("GET", f"/rooms/{room_id}/messages", params=choice)
        return page

    async def close(self) -> None:
        for device in self.devices:
            await device.close()
        for socket in self.sockets:
            await socket.close()
        await self.http.aclose()


def http_client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=60, verify=TRUST)


async def sign_up(url: str, name: str = "person") -> Person:
    person = Person(http_client(url), url)
    webchat_id = f"{name[:8]}_{_run}_{next(_names)}"[:20]
    person.user = await person.call(
        "POST",
        "/auth/signup",
        json={
            "email": f"{webchat_id}@example.com",
            "password": person.password,
            "webchat_id": webchat_id,
            "display_name": name.title(),
        },
        status=201,
    )
    return person


async def say_all(socket: Socket, room_id: str, bodies: Iterable[str], at_once: int = 50) -> None:
    """Send all messages in this order, `at_once` in flight at a time."""
    waiting = list(bodies)
    for first in range(0, len(waiting), at_once):
        await asyncio.gather(*(socket.send(room_id, body) for body in waiting[first : first + at_once]))


@asynccontextmanager
async def signing_up(url: str) -> AsyncIterator[Callable[..., Awaitable[Person]]]:
    """Yield a function that signs users up. Closes their sockets at the end."""
    people: list[Person] = []

    async def sign_someone_up(name: str = "person") -> Person:
        people.append(await sign_up(url, name))
        return people[-1]

    yield sign_someone_up
    for person in people:
        await person.close()
