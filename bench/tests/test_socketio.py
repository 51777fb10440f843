"""The packets of Socket.IO that the load generator writes and reads."""

import asyncio

import pytest
from bench.client.socket import masked
from bench.client.socketio import Event, SocketIoSocket, acknowledged


class Wire(asyncio.Transport):
    """The transport of a socket without a network. It keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))


def test_an_event_is_a_message_with_the_id_of_its_acknowledgement() -> None:
    event = Event("message", {"room_id": "r", "body": "안녕"}, 12)
    assert event.packet() == '4212["message",{"room_id":"r","body":"안녕"}]'.encode()


@pytest.mark.parametrize(
    ("packet", "ack_id"),
    [
        (b"430[]", 0),
        (b'4312["done"]', 12),
        (b'42["message",{"body":"430[]"}]', None),
        (b'4212["message",{}]', None),
        (b"40{}", None),
        (b"43[]", None),
        (b"4312", None),
        (b"", None),
    ],
)
def test_acknowledgements_are_recognised(packet: bytes, ack_id: int | None) -> None:
    assert acknowledged(packet) == ack_id


def _frame(text: bytes) -> bytes:
    return bytes((0x81, len(text))) + text


async def test_a_socket_answers_pings_and_passes_on_the_rest() -> None:
    texts: list[bytes] = []
    wire, socket = Wire(), SocketIoSocket("/", "", texts.append)
    socket.connection_made(wire)
    socket.data_received(b"HTTP/1.1 101 X\r\nA: b\r\n\r\n" + _frame(b"2") + _frame(b'42["message",{}]'))
    socket.data_received(_frame(b"437[]"))
    assert wire.written[1:] == [masked(b"3")]
    assert texts == [b'42["message",{}]', b'{"op":"ok","id":"7"}']


async def test_a_socket_that_only_counts_answers_pings_too() -> None:
    wire, socket = Wire(), SocketIoSocket("/", "")
    socket.connection_made(wire)
    socket.data_received(b"HTTP/1.1 101 X\r\nA: b\r\n\r\n" + _frame(b'42["message",{}]') + _frame(b"2"))
    assert wire.written[1:] == [masked(b"3")]
    assert socket.frames == 2


async def test_a_socket_sends_events() -> None:
    wire, socket = Wire(), SocketIoSocket("/", "")
    socket.connection_made(wire)
    socket.send(Event("join", "hall", 3))
    assert wire.written[1:] == [masked(b'423["join","hall"]')]
