"""The bare loop with the gateway's number of sockets, frame size and frames per write."""

import asyncio
from typing import Any, cast

from bench.client.socket import Socket
from bench.scenes.fanout import WATCHED
from bench.server.stack import Server
from bench.tally import Tally, body_of, closed_loop, open_loop, percentile
from shared.roomlog.frames import text_frame

ROUNDS = 2
"""Rounds of writes in flight, enough to keep the loop busy."""


class BareSocket(Socket):
    """A receiver that needs no handshake."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._upgraded = True
        self.open.set_result(None)
        self.transport.write(b"r")


async def run(server: Server, like: dict[str, Any], seconds: float, settle: float) -> dict[str, Any]:
    """Measure the loop. `like` has the figures of `fanout` for the gateway."""
    loop = asyncio.get_running_loop()
    receivers, joined = like["receivers"], max(1, round(like["frames_per_write"]))
    sockets = [
        (await loop.create_connection(lambda: BareSocket("", ""), "127.0.0.1", server.port))[1]
        for _ in range(receivers)
    ]
    _, sender = await asyncio.open_connection("127.0.0.1", server.port)
    sender.write(b"s")
    await asyncio.sleep(settle)
    padding = max(0, round(like["bytes_per_delivery"]) - len(text_frame(_payload(0, 0))))
    try:
        full = await _full_speed(server, sockets, sender, padding, joined, seconds)
        paced = await _paced(sockets, sender, padding, like["paced_messages_per_s"], seconds)
    finally:
        for socket in sockets:
            socket.close()
        sender.close()
        await asyncio.sleep(settle)
    return {"receivers": receivers, "frames_per_write": joined} | full | paced


def _payload(index: int, padding: int) -> bytes:
    return b'{"body":"%s%s"}' % (body_of(index).encode(), b"." * padding)


def _watch(sockets: list[BareSocket]) -> Tally:
    chosen = sockets[:: max(1, len(sockets) // WATCHED)]
    tally = Tally(len(chosen))
    for socket in sockets:
        socket.on_text = None
    for socket in chosen:
        socket.on_text = tally.on_text
    return tally


async def _full_speed(
    server: Server, sockets: list[BareSocket], sender: asyncio.StreamWriter, padding: int, joined: int, seconds: float
) -> dict[str, Any]:
    """Measure throughput. One message in the tally is a round of `joined` frames, complete with its last frame."""
    tally = _watch(sockets)
    filler = text_frame(b'{"x":"%s"}' % (b"." * (padding + len(_payload(0, 0)) - 8)))

    def send(due: float) -> None:
        sender.write(filler * (joined - 1) + text_frame(_payload(tally.add(due), padding)))

    before = server.usage()
    took = await closed_loop(ROUNDS, seconds, tally, send)
    used = server.usage().since(before)
    deliveries = tally.complete * len(sockets) * joined
    return {
        "deliveries_per_s": deliveries / took,
        "gateway_cpu_s_per_million": used.cpu_of("bare") / max(1, deliveries) * 1e6,
        "cpu_s": used.cpu,
    }


async def _paced(
    sockets: list[BareSocket], sender: asyncio.StreamWriter, padding: int, rate: float, seconds: float
) -> dict[str, Any]:
    tally = _watch(sockets)
    await open_loop(rate, seconds, lambda due: sender.write(text_frame(_payload(tally.add(due), padding))))
    await tally.finished(10)
    return {
        "receipt_p50_ms": percentile(tally.receipts, 0.5) * 1000,
        "receipt_p99_ms": percentile(tally.receipts, 0.99) * 1000,
    }
