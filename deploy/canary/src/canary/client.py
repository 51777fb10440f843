"""A client like the web client.

It reconnects, resumes from its cursor, and repeats a message with the same `client_id` until it is answered.
"""

import asyncio
import itertools
import json
import logging
import random
import time
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from canary.account import UNAUTHENTICATED, Account, RequestError
from canary.gateways import Gateways
from canary.ledger import Event, Ledger, Message, Reader
from canary.metrics import UNKNOWN, CanaryMetrics
from shared.instance import INSTANCE_HEADER

log = logging.getLogger(__name__)

SUBPROTOCOL = Subprotocol("webchat.v1")
SESSION_GONE = 4401
NO_SUCH_GATEWAY = 404
ANSWER_S = 10.0
"""A frame without an answer after this time is sent again."""
BACKOFF_S = 0.5, 5.0
"""The longest pause before the first and before later attempts to reconnect, with full jitter."""
RETRYABLE = {"unavailable", "rate_limited"}
FAILURES = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError, aiohttp.ClientError, RequestError)
PAGE = 200


class RoomGoneError(Exception):
    """Writing in the room is no longer possible, for example after restoring a backup without it."""


class Client:
    """One socket of an account in one room, and the state of its reader. It prefers the gateway assigned to it."""

    def __init__(self, account: Account, target: str, room_id: str, ledger: Ledger, metrics: CanaryMetrics,
                 gateways: Gateways, assigned: str) -> None:  # fmt: skip
        self.account, self._room_id, self._ledger, self._metrics = account, room_id, ledger, metrics
        self._url = f"{target.replace('http', 'ws', 1)}/api/chat/ws"
        self._gateways, self.assigned = gateways, assigned
        self.reader = Reader(account.webchat_id)
        self._is_moving = self._takes_any = False
        self._writing: asyncio.Task[None] | None = None
        self._epoch: str | None = None
        self._connection: ClientConnection | None = None
        self._handshake_done = asyncio.Event()
        self._replies: dict[str, asyncio.Future[Event]] = {}
        self._ids = itertools.count(1)

    @property
    def gateway(self) -> str:
        """The address of the connected gateway, or `unknown`."""
        return self.reader.gateway if self._handshake_done.is_set() else UNKNOWN

    # Reading

    async def run(self) -> None:
        self._ledger.readers.add(self.reader)
        longest = BACKOFF_S[0]
        try:
            while True:
                try:
                    await self._stay_connected()
                    longest = BACKOFF_S[0]
                except FAILURES as error:
                    log.warning("could not open a socket: %r", error)
                    longest = BACKOFF_S[1]
                if not self._is_moving:
                    self._metrics.reconnects.inc()
                    await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - no secret
                self._is_moving = False
        finally:
            self._ledger.leave(self.reader)

    async def return_to_assigned(self) -> None:
        """Disconnect from another gateway if the assigned one is available again."""
        if self._handshake_done.is_set() and self.gateway != self.assigned and self.assigned in self._gateways.alive:
            assert self._connection is not None
            self._is_moving = True
            await self._connection.close()

    async def _stay_connected(self) -> None:
        """Connect and receive until the socket closes. Raises if it cannot be opened."""
        cookie = self.account.cookie
        try:
            connection = await self._connect(cookie)
        except InvalidStatus as error:
            status = error.response.status_code
            self._takes_any = status == NO_SUCH_GATEWAY
            if status == UNAUTHENTICATED:
                await self.account.sign_in(instead_of=cookie)
            elif status != NO_SUCH_GATEWAY:
                raise
            return
        try:
            await self._receive_frames(connection)
        except ConnectionClosed:
            log.info("socket closed: %s", connection.close_code)
        finally:
            self._disconnected()
            await connection.close()
        if connection.close_code == SESSION_GONE:
            await self.account.sign_in(instead_of=cookie)

    async def _connect(self, cookie: str) -> ClientConnection:
        """Connect to a chosen gateway, or to any if the chosen one was not found: it may just have restarted."""
        address, instance = (UNKNOWN, "") if self._takes_any else self._gateways.choose(self.assigned)
        self._takes_any = False
        headers = {"Cookie": cookie} | ({INSTANCE_HEADER: instance} if instance else {})
        connection = await connect(self._url, subprotocols=[SUBPROTOCOL], additional_headers=headers, compression=None,
                             proxy=None, close_timeout=2)  # fmt: skip
        self.reader.gateway = address
        return connection

    async def _receive_frames(self, connection: ClientConnection) -> None:
        self._connection = connection
        cursors = {} if self.reader.version is None else {self._room_id: self.reader.version}
        await connection.send(json.dumps({"op": "hello", "cursors": cursors, "epoch": self._epoch}))
        async for text in connection:
            frame = json.loads(text)
            if not await self._handle(frame):
                return

    def _disconnected(self) -> None:
        self._connection = None
        self._handshake_done.clear()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ConnectionResetError("the socket closed"))
        self._replies.clear()

    async def _handle(self, frame: Event) -> bool:
        """Process one frame. Returns False if the socket must be closed and resumed."""
        op = frame["op"]
        if op == "ready":
            self._on_ready(frame)
        elif op in {"ok", "error"}:
            reply = self._replies.pop(frame.get("id", ""), None)
            if reply is not None and not reply.done():
                reply.set_result(frame)
        elif frame.get("room_id") == self._room_id:
            if op == "room.reset":
                await self._reset()
            elif "version" in frame:
                return self._ledger.receive(self.reader, frame, time.monotonic())
        return True

    def _on_ready(self, ready: Event) -> None:
        self._epoch = ready["epoch"]
        if self.reader.version is None:
            [self.reader.version] = [room["version"] for room in ready["rooms"] if room["room_id"] == self._room_id]
        self._handshake_done.set()

    async def _reset(self) -> None:
        self._metrics.resets.inc()
        page: Any = await self.account.call("GET", f"/rooms/{self._room_id}/messages", limit=PAGE)
        self._ledger.reset(self.reader, page["items"], page["version"])

    # Writing

    @property
    def is_writing(self) -> bool:
        return self._writing is not None and not self._writing.done()

    @property
    def may_write(self) -> bool:
        return self.reader.version is not None and not self.is_writing

    def write(self, tasks: asyncio.TaskGroup) -> None:
        """Start a task that sends a message until it is answered."""
        self._writing = tasks.create_task(self._write())

    def stop_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()

    async def _write(self) -> None:
        message = self._ledger.write(time.monotonic())
        try:
            while not await self._send(message):
                pass
        finally:
            if message.seq is None:
                self._ledger.abandon(message)

    async def _send(self, message: Message) -> bool:
        """Send once. Returns False if the outcome is unknown and it must be sent again. Raises RoomGoneError."""
        await self._handshake_done.wait()
        connection, frame_id = self._connection, str(next(self._ids))
        assert connection is not None
        self._ledger.sent(message, self.gateway)
        frame = {"op": "message.send", "id": frame_id, "room_id": self._room_id,
                 "client_id": message.client_id, "body": message.body}  # fmt: skip
        reply = self._replies[frame_id] = asyncio.get_running_loop().create_future()
        try:
            await connection.send(json.dumps(frame))
            async with asyncio.timeout(ANSWER_S):  # wait_for of Python 3.11 may lose a cancellation to the reply
                answer = await reply
        except (ConnectionClosed, ConnectionResetError, TimeoutError):
            self._replies.pop(frame_id, None)
            return False
        if answer["op"] == "ok":
            self._ledger.acked(message, answer, time.monotonic())
        elif answer["code"] in RETRYABLE:
            await asyncio.sleep(answer.get("retry_after", 1))
            return False
        else:
            raise RoomGoneError(f"a message was rejected: {answer['code']}")
        return True
