"""A WebSocket client with little overhead, so that the load generator is never the bottleneck.

Frames are masked with the key zero, which leaves their bytes unchanged. Received frames are counted by their headers;
payloads are parsed only if a scene needs them.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import msgspec

KEY = b"\x00\x00\x00\x00"
OPEN_SECONDS = 30.0


class Incoming(msgspec.Struct):
    """The fields of server frames that scenes use."""

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
    """Return the payload as one final client frame."""
    size = len(payload)
    if size < 126:
        header = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        header = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    else:
        header = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big")
    return header + KEY + payload


class Socket(asyncio.Protocol):
    """One WebSocket. `on_text` gets every text frame; without it frames are only counted in `frames`."""

    Receiver: TypeAlias = Callable[[bytes], None] | None

    def __init__(self, path: str, headers: str, on_text: Receiver = None) -> None:
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
        if self.open.done():  # the caller has given up
            self.transport.abort()
        elif b" 101 " in head[:20]:
            self.open.set_result(None)
        else:
            self.open.set_exception(ConnectionResetError(head[:200].decode(errors="replace")))
            self.transport.abort()

    def receiver(self) -> Receiver:
        """Return the function that gets every text frame."""
        return self.on_text

    def _take(self, data: bytes) -> bytes:
        """Count the frames in `data`, pass texts to `on_text`, and return the rest, an incomplete frame."""
        start, size, on_text, count = 0, len(data), self.receiver(), 0
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


async def connect(
    port: int,
    path: str,
    headers: str = "",
    on_text: Socket.Receiver = None,
    *,
    kind: type[Socket] = Socket,
    address: str | None = None,
) -> Socket:
    """Open a socket, from `address` if given. Raises OSError or TimeoutError if the handshake fails."""
    loop = asyncio.get_running_loop()
    local = None if address is None else (address, 0)
    _, socket = await loop.create_connection(lambda: kind(path, headers, on_text), "127.0.0.1", port, local_addr=local)
    try:
        await asyncio.wait_for(socket.open, OPEN_SECONDS)
    except (OSError, TimeoutError):
        socket.close()
        raise
    return socket


class Client:
    """A client of WebChat's protocol after its handshake."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.ready: Incoming | None = None
        self.epoch = ""

    @classmethod
    async def join(cls, port: int, cookie: str, address: str | None = None, **hello: Any) -> "Client":
        """Connect, send `hello` and wait for `ready`. Later frames are counted but not parsed.

        Raises ConnectionResetError or TimeoutError if there is no `ready`.
        """
        got: asyncio.Future[Incoming] = asyncio.get_running_loop().create_future()

        def first(text: bytes) -> None:
            if not got.done():
                got.set_result(decode(text))

        def lost() -> None:
            if not got.done():
                got.set_exception(ConnectionResetError("the connection was lost before ready"))

        headers = f"Cookie: {cookie}\r\nSec-WebSocket-Protocol: webchat.v1\r\n"
        client = cls(await connect(port, "/api/chat/ws", headers, first, address=address))
        client.socket.on_lost = lost
        client.socket.send({"op": "hello", **hello})
        try:
            client.ready = await asyncio.wait_for(got, OPEN_SECONDS)
            if client.ready.op != "ready":
                raise ConnectionResetError(f"expected ready, got {client.ready}")
        except (OSError, TimeoutError):
            client.socket.close()
            raise
        client.epoch = client.ready.epoch
        client.socket.on_text, client.socket.on_lost = None, lambda: None
        return client

    async def ask(self, frame: object) -> bytes:
        """Send a frame with an ID and return the text of the next reply."""
        got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def reply(text: bytes) -> None:
            if not got.done() and text.startswith((b'{"op":"ok"', b'{"op":"error"')):
                got.set_result(text)

        self.socket.on_text = reply
        self.socket.send(frame)
        return await asyncio.wait_for(got, OPEN_SECONDS)
