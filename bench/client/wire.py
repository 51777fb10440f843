"""A WebSocket client that costs little: the load must never be what is measured.

Frames are masked with the key zero, which leaves their bytes as they are. What arrives is counted by headers alone;
payloads are looked at only where a scene asks for them.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import msgspec

KEY = b"\x00\x00\x00\x00"
OPEN_SECONDS = 30.0


class Incoming(msgspec.Struct):
    """The fields of a frame from the server that scenes look at."""

    op: str = ""
    id: str = ""
    room_id: str = ""
    version: int = 0
    body: str = ""
    code: str = ""
    epoch: str = ""
    rooms: list[dict[str, Any]] = []


decode = msgspec.json.Decoder(Incoming).decode
encode = msgspec.json.encode


def masked(payload: bytes, opcode: int = 1) -> bytes:
    """One final frame of a client."""
    size = len(payload)
    if size < 126:
        header = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        header = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    else:
        header = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big")
    return header + KEY + payload


class Wire(asyncio.Protocol):
    """One socket. `on_text` gets every text frame; without it they are counted in `frames`, and skipped."""

    def __init__(self, path: str, headers: str, on_text: Callable[[bytes], None] | None = None) -> None:
        self.frames = self.received_bytes = 0
        self.on_text = on_text
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False
        self.on_lost: Callable[[], None] = lambda: None
        self.close_code = 0
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YmVuY2ggYmVuY2ggYmVuYw==\r\n{headers}\r\n"
        ).encode()
        self._rest = b""
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.on_lost()
        if not self.open.done():
            self.open.set_exception(ConnectionResetError(f"no WebSocket: {exc}"))

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        if not self._upgraded:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._rest = head
                return
            self._rest = b""
            self._finish_handshake(head)
        self.received_bytes += len(data)
        self._rest = self._take(data)

    def _finish_handshake(self, head: bytes) -> None:
        self._upgraded = True
        if b" 101 " in head[:20]:
            self.open.set_result(None)
        else:
            self.open.set_exception(ConnectionResetError(head[:200].decode(errors="replace")))
            self.transport.abort()

    def _take(self, data: bytes) -> bytes:
        """Count the frames in `data`, hand on those wanted; what is left of an incomplete one."""
        start, size, on_text, count = 0, len(data), self.on_text, 0
        while size - start >= 2:
            length, begin = data[start + 1], start + 2
            if length == 126:
                length, begin = int.from_bytes(data[start + 2 : start + 4], "big"), start + 4
            elif length == 127:
                length, begin = int.from_bytes(data[start + 2 : start + 10], "big"), start + 10
            if begin + length > size:
                break
            if data[start] == 0x81:
                count += 1
                if on_text is not None:
                    on_text(data[begin : begin + length])
            else:
                self._control(data[start] & 0x0F, data[begin : begin + length])
            start = begin + length
        self.frames += count
        return data[start:]

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self.transport.write(masked(payload, 10))
        elif opcode == 8:
            self.close_code = int.from_bytes(payload[:2], "big")
            self.transport.close()

    def send(self, frame: object) -> None:
        self.transport.write(masked(encode(frame)))

    def close(self) -> None:
        self.transport.abort()


async def connect(port: int, path: str, headers: str = "", on_text: Callable[[bytes], None] | None = None) -> Wire:
    """An open socket; raises ConnectionResetError where it was refused."""
    loop = asyncio.get_running_loop()
    _, wire = await loop.create_connection(lambda: Wire(path, headers, on_text), "127.0.0.1", port)
    await asyncio.wait_for(wire.open, OPEN_SECONDS)
    return wire


class Talker:
    """A socket of WebChat's protocol: after `hello`, replies and events go where the scene wants them."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.ready: Incoming | None = None
        self.epoch = ""

    @classmethod
    async def join(cls, port: int, cookie: str, **hello: Any) -> "Talker":
        """Connect and say hello; returns when `ready` is there. Then frames are counted and not read."""
        loop = asyncio.get_running_loop()
        got: asyncio.Future[Incoming] = loop.create_future()

        def first(text: bytes) -> None:
            if not got.done():
                got.set_result(decode(text))

        headers = f"Cookie: {cookie}\r\nSec-WebSocket-Protocol: webchat.v1\r\n"
        talker = cls(await connect(port, "/api/chat/ws", headers, first))
        talker.wire.send({"op": "hello", **hello})
        talker.ready = await asyncio.wait_for(got, OPEN_SECONDS)
        if talker.ready.op != "ready":
            raise ConnectionResetError(f"no ready, but {talker.ready}")
        talker.epoch = talker.ready.epoch
        talker.wire.on_text = None
        return talker

    async def ask(self, frame: object) -> bytes:
        """Send a frame with an id; the text of the reply, whichever comes next."""
        got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def reply(text: bytes) -> None:
            if not got.done() and text.startswith((b'{"op":"ok"', b'{"op":"error"')):
                got.set_result(text)

        self.wire.on_text = reply
        self.wire.send(frame)
        return await asyncio.wait_for(got, OPEN_SECONDS)
