"""A WebSocket client that may break the protocol: it writes any bytes, and reads what the server answers."""

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
NO_CODE = 1005
"""The code of a close frame without a payload, RFC 6455 §7.1.5."""
DEADLINE_S = 30
_MASK = b"\x5a\xa5\x0f\xf0"
_UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
    "Sec-WebSocket-Protocol": "webchat.v1",
}


def masked(payload: bytes, mask: bytes = _MASK) -> bytes:
    size = len(payload)
    pattern = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, reserved: int = 0, mask: bool = True) -> bytes:
    """Return a frame of a client. `reserved` are the three reserved bits."""
    first, size, flag = (0x80 if final else 0) | reserved << 4 | opcode, len(payload), 0x80 if mask else 0
    if size < 126:
        head = bytes((first, flag | size))
    elif size < 2**16:
        head = struct.pack("!BBH", first, flag | 126, size)
    else:
        head = struct.pack("!BBQ", first, flag | 127, size)
    return head + (_MASK + masked(payload) if mask else payload)


def fragments(opcode: int, parts: Iterable[bytes]) -> list[bytes]:
    """Return the frames of a message in parts."""
    payloads = list(parts)
    last = len(payloads) - 1
    return [frame(CONT if at else opcode, part, final=at == last) for at, part in enumerate(payloads)]


def close_frame(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


class Received(NamedTuple):
    opcode: int
    payload: bytes

    @property
    def code(self) -> int:
        """The code of a close frame."""
        assert self.opcode == CLOSE, self
        return int.from_bytes(self.payload[:2], "big") if self.payload else NO_CODE

    @property
    def json(self) -> Any:
        assert self.opcode == TEXT, self
        return json.loads(self.payload)


class RawClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        """Write each piece separately."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def receive(self) -> Received:
        """Return the next frame, except the heartbeat of the server. Raises EOFError at the end of the stream."""
        while True:
            first, size = await self._reader.readexactly(2)
            if size >= 126:
                size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
            received = Received(first & 0x0F, await self._reader.readexactly(size))
            if received.opcode != PING:
                return received

    async def receive_all(self) -> list[Received]:
        """Return all frames up to the close frame of the server."""
        received: list[Received] = []
        async with asyncio.timeout(DEADLINE_S):
            while not received or received[-1].opcode != CLOSE:
                received.append(await self.receive())
        return received


@asynccontextmanager
async def raw_client(url: str, headers: Mapping[str, str]) -> AsyncIterator[RawClient]:
    """Upgrade a connection to a WebSocket. `url` is the address of the server, with the scheme http or ws."""
    target = urlsplit(url)
    assert target.hostname is not None
    reader, writer = await asyncio.open_connection(target.hostname, target.port or 80)
    try:
        lines = [f"GET {target.path} HTTP/1.1", f"Host: {target.netloc}"]
        lines += [f"{name}: {value}" for name, value in (_UPGRADE | dict(headers)).items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(DEADLINE_S):
            response = await reader.readuntil(b"\r\n\r\n")
        assert response.startswith(b"HTTP/1.1 101"), response
        yield RawClient(reader, writer)
    finally:
        writer.transport.abort()
