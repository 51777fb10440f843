"""A socket as a person's device keeps it: it comes back when it is cut, resumes from its cursor, and sends again under
the same client_id until it is answered."""

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

from canary.account import UNAUTHENTICATED, Account, RefusedError
from canary.gateways import Gateways
from canary.ledger import Event, Ledger, Message, Reader
from canary.meter import UNKNOWN, Meter
from shared.instance import INSTANCE_HEADER

log = logging.getLogger(__name__)

SUBPROTOCOL = Subprotocol("webchat.v1")
SESSION_GONE = 4401
NO_SUCH_GATEWAY = 404
ANSWER_S = 10.0
"""A frame that is not answered by then is sent again."""
PAUSES_S = 0.5, 5.0
"""Before the first and any later attempt to come back, with full jitter."""
AGAIN = {"unavailable", "rate_limited"}
FAILURES = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError, aiohttp.ClientError, RefusedError)
PAGE = 200


class RoomGoneError(Exception):
    """Nothing can be written in the room any more, as after a backup was restored that does not have it."""


class Client:
    """One socket of an account in one room, and what its reader has; at its home among the gateways while it lives."""

    def __init__(self, account: Account, target: str, room_id: str, ledger: Ledger, meter: Meter,
                 gateways: Gateways, home: str) -> None:  # fmt: skip
        self.account, self._room_id, self._ledger, self._meter = account, room_id, ledger, meter
        self._url = f"{target.replace('http', 'ws', 1)}/api/chat/ws"
        self._gateways, self.home = gateways, home
        self.reader = Reader(account.webchat_id)
        self._is_moving = self._takes_any = False
        self._writing: asyncio.Task[None] | None = None
        self._epoch: str | None = None
        self._wire: ClientConnection | None = None
        self._greeted = asyncio.Event()
        self._replies: dict[str, asyncio.Future[Event]] = {}
        self._ids = itertools.count(1)

    @property
    def gateway(self) -> str:
        """The address of the one that it is at; unknown while it is at none."""
        return self.reader.gateway if self._greeted.is_set() else UNKNOWN

    # Reading

    async def run(self) -> None:
        self._ledger.readers.add(self.reader)
        longest = PAUSES_S[0]
        try:
            while True:
                try:
                    await self._stay_connected()
                    longest = PAUSES_S[0]
                except FAILURES as error:
                    log.warning("a socket could not be opened: %r", error)
                    longest = PAUSES_S[1]
                if not self._is_moving:
                    self._meter.reconnects.inc()
                    await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - no secret
                self._is_moving = False
        finally:
            self._ledger.leave(self.reader)

    async def go_home(self) -> None:
        """Hang up where that is elsewhere than at home, and home lives again."""
        if self._greeted.is_set() and self.gateway != self.home and self.home in self._gateways.living:
            assert self._wire is not None
            self._is_moving = True
            await self._wire.close()

    async def _stay_connected(self) -> None:
        """Until the socket closes; raises where it could not be opened."""
        cookie = self.account.cookie
        try:
            wire = await self._connect(cookie)
        except InvalidStatus as error:
            status = error.response.status_code
            self._takes_any = status == NO_SUCH_GATEWAY
            if status == UNAUTHENTICATED:
                await self.account.sign_in(instead_of=cookie)
            elif status != NO_SUCH_GATEWAY:
                raise
            return
        try:
            await self._converse(wire)
        except ConnectionClosed:
            log.info("a socket was closed: %s", wire.close_code)
        finally:
            self._part()
            await wire.close()
        if wire.close_code == SESSION_GONE:
            await self.account.sign_in(instead_of=cookie)

    async def _connect(self, cookie: str) -> ClientConnection:
        """To a certain gateway; to any where that one was not found, for it may just have begun anew."""
        address, instance = (UNKNOWN, "") if self._takes_any else self._gateways.choose(self.home)
        self._takes_any = False
        headers = {"Cookie": cookie} | ({INSTANCE_HEADER: instance} if instance else {})
        wire = await connect(self._url, subprotocols=[SUBPROTOCOL], additional_headers=headers, compression=None,
                             proxy=None, close_timeout=2)  # fmt: skip
        self.reader.gateway = address
        return wire

    async def _converse(self, wire: ClientConnection) -> None:
        self._wire = wire
        cursors = {} if self.reader.version is None else {self._room_id: self.reader.version}
        await wire.send(json.dumps({"op": "hello", "cursors": cursors, "epoch": self._epoch}))
        async for text in wire:
            frame = json.loads(text)
            if not await self._take(frame):
                return

    def _part(self) -> None:
        self._wire = None
        self._greeted.clear()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ConnectionResetError("the socket closed"))
        self._replies.clear()

    async def _take(self, frame: Event) -> bool:
        """False where the socket is of no more use."""
        op = frame["op"]
        if op == "ready":
            self._greet(frame)
        elif op in {"ok", "error"}:
            reply = self._replies.pop(frame.get("id", ""), None)
            if reply is not None and not reply.done():
                reply.set_result(frame)
        elif frame.get("room_id") == self._room_id:
            if op == "room.reset":
                await self._begin_anew()
            elif "version" in frame:
                return self._ledger.take(self.reader, frame, time.monotonic())
        return True

    def _greet(self, ready: Event) -> None:
        self._epoch = ready["epoch"]
        if self.reader.version is None:
            [self.reader.version] = [room["version"] for room in ready["rooms"] if room["room_id"] == self._room_id]
        self._greeted.set()

    async def _begin_anew(self) -> None:
        self._meter.resets.inc()
        page: Any = await self.account.call("GET", f"/rooms/{self._room_id}/messages", limit=PAGE)
        self._ledger.begin_anew(self.reader, page["items"], page["version"])

    # Writing

    @property
    def is_writing(self) -> bool:
        return self._writing is not None and not self._writing.done()

    @property
    def may_write(self) -> bool:
        return self.reader.version is not None and not self.is_writing

    def write(self, tasks: asyncio.TaskGroup) -> None:
        """Begin a message, which is sent until it is answered."""
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
                self._ledger.give_up(message)

    async def _send(self, message: Message) -> bool:
        """False where it is to be sent again, for the outcome is unknown. Raises RoomGoneError."""
        await self._greeted.wait()
        wire, frame_id = self._wire, str(next(self._ids))
        assert wire is not None
        self._ledger.sent(message, self.gateway)
        frame = {"op": "message.send", "id": frame_id, "room_id": self._room_id,
                 "client_id": message.client_id, "body": message.body}  # fmt: skip
        reply = self._replies[frame_id] = asyncio.get_running_loop().create_future()
        try:
            await wire.send(json.dumps(frame))
            async with asyncio.timeout(ANSWER_S):  # wait_for of Python 3.11 may lose a cancellation to the reply
                answer = await reply
        except (ConnectionClosed, ConnectionResetError, TimeoutError):
            self._replies.pop(frame_id, None)
            return False
        if answer["op"] == "ok":
            self._ledger.acked(message, answer, time.monotonic())
        elif answer["code"] in AGAIN:
            await asyncio.sleep(answer.get("retry_after", 1))
            return False
        else:
            raise RoomGoneError(f"a message was refused: {answer['code']}")
        return True
