"""A connection to one Redis server that receives pushed messages, such as those of subscribed channels.

redis-py reads each message with a timeout and several awaits. Here, the messages of one read are handled in one go.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

import hiredis
from redis.exceptions import InvalidResponse, ResponseError

from shared.redis.client import TIMEOUT_S, Access, Address

_INCOMPLETE = object()

OnPush = Callable[[list[Any]], None]


class PushConnection(asyncio.Protocol):
    """A connection in RESP3, made by `connect_push`. It never reconnects.

    `on_push` gets each pushed message, a list of bytes and numbers. If it raises, the connection is lost. `lost` gets
    the reason as its exception: the server or `close` closed the connection, or answered a command with an error.
    """

    def __init__(self, on_push: OnPush) -> None:
        loop = asyncio.get_running_loop()
        self._on_push = on_push
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=ResponseError, notEnoughData=_INCOMPLETE
        )
        self._transport: asyncio.Transport | None = None
        self._reads = 0
        self.answered: asyncio.Future[None] = loop.create_future()
        """Done at the first answer to a command."""
        self.lost: asyncio.Future[None] = loop.create_future()

    def send(self, *command: Any) -> None:
        """Send a command. Raises ConnectionResetError if the connection is lost."""
        if self._transport is None or self.lost.done():
            raise ConnectionResetError("the connection is closed")
        self._transport.write(hiredis.pack_command(command))

    def close(self) -> None:
        self._lose(ConnectionResetError("the connection is closed"))

    async def is_silent(self, seconds: float) -> bool:
        """Return whether nothing arrives in this time. Raises the reason when the connection is lost."""
        reads = self._reads
        await asyncio.wait([self.lost], timeout=seconds)
        if self.lost.done():
            self.lost.result()
        return self._reads == reads

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._reads += 1
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not _INCOMPLETE:
                if isinstance(reply, hiredis.PushNotification):
                    self._on_push(reply)
                else:
                    self._answer(reply)
        except Exception as error:  # noqa: BLE001 - `lost` reports it
            self._lose(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(exc or ConnectionResetError("the server closed the connection"))

    def _answer(self, reply: object) -> None:
        if isinstance(reply, Exception):
            raise reply
        if not self.answered.done():
            self.answered.set_result(None)

    def _lose(self, error: Exception) -> None:
        if not self.lost.done():
            self.lost.set_exception(error)
            self.lost.exception()  # mark it as retrieved, because nobody may wait
        if self._transport is not None:
            self._transport.abort()


async def connect_push(address: Address, access: Access, on_push: OnPush) -> PushConnection:
    """Connect and authenticate. Raises one of `REDIS_DOWN`."""
    host, port = address
    context = _verifying(access) if access.tls else None
    async with asyncio.timeout(TIMEOUT_S):
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: PushConnection(on_push), host, port, ssl=context
        )
        try:
            who = ("AUTH", access.username or "default", access.password) if access.password else ()
            connection.send("HELLO", 3, *who)
            await asyncio.wait([connection.answered, connection.lost], return_when=asyncio.FIRST_COMPLETED)
            if connection.lost.done():
                connection.lost.result()
        except BaseException:
            connection.close()
            raise
    return connection


def _verifying(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if access.authorities:
        context.load_verify_locations(cadata=access.authorities)
    return context
