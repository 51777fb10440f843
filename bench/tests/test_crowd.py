"""The idle sockets of the scene with very many connections."""

import asyncio

from bench.client.crowd import Crowd, CrowdOrder, reason_of, retry_delay
from bench.client.socket import Client, Socket, masked


class Wire(asyncio.Transport):
    """The transport of a socket without a network. It fails like uvloop's if it is written to after its end."""

    def __init__(self, *, closing: bool) -> None:
        super().__init__()
        self._closing = closing
        self.written: list[bytes] = []

    def is_closing(self) -> bool:
        return self._closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            raise RuntimeError("the handler is closed")
        self.written.append(bytes(data))


async def test_sockets_are_pinged_unless_they_are_being_closed() -> None:
    crowd = Crowd(CrowdOrder(ports=[1], addresses=["127.0.0.2"], cookies=[""], count=0))
    wires = [Wire(closing=True), Wire(closing=False)]
    for number, wire in enumerate(wires):
        socket = Socket("/", "")
        socket.transport = wire
        crowd._live[number * 25] = Client(socket)  # both are due in the first second
    pinging = asyncio.create_task(crowd._ping())
    await asyncio.sleep(0)
    pinging.cancel()
    assert [wire.written for wire in wires] == [[], [masked(b'{"op":"ping","id":"0"}')]]


def test_a_crowd_retries_like_the_web_client() -> None:
    assert [retry_delay(failures, 1.0) for failures in (0, 1, 2, 9)] == [1.0, 2.0, 4.0, 30.0]
    assert retry_delay(5, 0.0) == 0.5
    assert retry_delay(1, 0.5) == 1.25


def test_a_refused_attempt_is_counted_by_its_reason() -> None:
    assert reason_of(ConnectionResetError("HTTP/1.1 503 Service Unavailable\r\nServer: nginx")) == "status 503"
    assert reason_of(ConnectionRefusedError(111, "refused")) == "ConnectionRefusedError"
