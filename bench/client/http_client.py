"""A minimal HTTP/1.1 client with keep-alive connections: a library would use more CPU than the server."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

ANSWER_SECONDS = 60.0
SET_COOKIE = b"\r\nset-cookie: "


def with_cookies(cookie: str, head: bytes) -> str:
    """Return the value of the `Cookie` header after an answer with this head."""
    pairs = dict(pair.split("=", 1) for pair in cookie.split("; ") if pair)
    for line in head.split(b"\r\n"):
        if line.lower().startswith(SET_COOKIE[2:]):
            name, _, value = line[len(SET_COOKIE) - 2 :].partition(b";")[0].decode().partition("=")
            pairs[name] = value
    return "; ".join(f"{name}={value}" for name, value in pairs.items() if value)


class HttpClient:
    """One connection with one request at a time. It reconnects if the server has closed it."""

    def __init__(self, port: int, cookie: str = "", address: str | None = None) -> None:
        """Connect from `address` if given. `cookie` is the value of the header, and grows by what the server sets."""
        self.cookie = cookie
        self._port = port
        self._local = None if address is None else (address, 0)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        """Send a request and return status and body. Keeps the cookies from `Set-Cookie`."""
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        sized = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n" if method != "GET" else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}{sized}\r\n".encode()
        async with asyncio.timeout(ANSWER_SECONDS):
            if self._streams is not None and self._streams[0].at_eof():
                self.close()
            reader, writer = self._streams or await self._open()
            writer.write(head + body)
            await writer.drain()
            return await self._answer(reader)

    async def json(self, method: str, path: str, body: object = None, *, expected: int = 200) -> Any:
        status, answer = await self.call(method, path, b"" if body is None else msgspec.json.encode(body))
        if status != expected:
            raise RuntimeError(f"{method} {path} answered {status}: {answer[:300]!r}")
        return msgspec.json.decode(answer) if answer else None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20, local_addr=self._local)
        return self._streams

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = head.lower()
        if SET_COOKIE in fields:
            self.cookie = with_cookies(self.cookie, head)
        if b"\r\ntransfer-encoding: chunked" in fields:
            body = await _chunks(reader)
        elif b"\r\ncontent-length: " in fields:
            body = await reader.readexactly(int(fields.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]))
        else:
            body = b""
        if b"\r\nconnection: close" in fields:
            self.close()
        return int(head[9:12]), body

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(parts)


async def repeat(
    seconds: float, callers: int, once: Callable[[int], Awaitable[object]], *, most: int | None = None
) -> tuple[int, float]:
    """Let `callers` repeat `once(caller)` for the given seconds, at most `most` times in total.

    Returns the number of calls and the seconds that they took.
    """
    began, begun, done = time.perf_counter(), 0, 0

    async def go(caller: int) -> None:
        nonlocal begun, done
        while time.perf_counter() - began < seconds and (most is None or begun < most):
            begun += 1
            await once(caller)
            done += 1

    await asyncio.gather(*(go(caller) for caller in range(callers)))
    return done, time.perf_counter() - began
