"""Socket.IO 5 over Engine.IO 4: the packets that the benchmark needs, one in each WebSocket text frame."""

import asyncio

import msgspec

from bench.client.socket import OPEN_SECONDS, Socket, connect, encode, masked

PING, PONG, CONNECT, EVENT, ACK = b"2", b"3", b"40", b"42", b"43"
"""Packet types: the first digit is Engine.IO's, the second one, in messages (4), Socket.IO's."""
PATH = "/socket.io/?EIO=4&transport=websocket"
_PONG_FRAME = masked(PONG)


class Event(msgspec.Struct, frozen=True):
    """An event with one argument. The server acknowledges it with `ack_id`."""

    name: str
    argument: object
    ack_id: int

    def packet(self) -> bytes:
        return b"%b%d%b" % (EVENT, self.ack_id, encode([self.name, self.argument]))


def acknowledged(packet: bytes) -> int | None:
    """Return the ID that the packet acknowledges, or None if it is of another type."""
    number, bracket, _ = packet[len(ACK) :].partition(b"[")
    return int(number) if packet.startswith(ACK) and bracket and number.isdigit() else None


class SocketIoSocket(Socket):
    """A socket that sends `Event`s and answers pings. `on_text` gets acknowledgements as WebChat's `ok` frames."""

    def receiver(self) -> "Socket.Receiver":
        return self._on_packet

    def _on_packet(self, packet: bytes) -> None:
        if packet == PING:
            self.transport.write(_PONG_FRAME)
        elif self.on_text is not None:
            ack_id = acknowledged(packet)
            self.on_text(packet if ack_id is None else b'{"op":"ok","id":"%d"}' % ack_id)

    def send(self, frame: object) -> None:
        assert isinstance(frame, Event)
        self.transport.write(masked(frame.packet()))


async def join(port: int, room_ids: list[str]) -> Socket:
    """Connect to the default namespace and join the rooms."""
    answers: asyncio.Queue[bytes] = asyncio.Queue()
    socket = await connect(port, PATH, on_text=answers.put_nowait, kind=SocketIoSocket)
    socket.transport.write(masked(CONNECT))
    async with asyncio.timeout(OPEN_SECONDS):
        while not (await answers.get()).startswith(CONNECT):
            pass
        for number, room_id in enumerate(room_ids):
            socket.send(Event("join", room_id, number))
            await answers.get()
    socket.on_text = None
    return socket
