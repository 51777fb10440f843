"""The bare loop with as many sockets, frames as large, and as many of them joined in a write, as the gateway had."""

import asyncio
from typing import Any, cast

from bench.client.wire import Wire
from bench.scenes.fanout import WATCHED
from bench.server.stack import Server
from bench.tally import Tally, body_of, closed_loop, open_loop, percentile
from shared.roomlog.frames import text_frame

ROUNDS = 2
"""Rounds of writes under way: enough that the loop never waits."""


class BareWire(Wire):
    """A receiver that needs no handshake."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._upgraded = True
        self.open.set_result(None)
        self.transport.write(b"r")


async def run(server: Server, like: dict[str, Any], seconds: float, settle: float) -> dict[str, Any]:
    """`like`: what `fanout` found of the gateway."""
    loop = asyncio.get_running_loop()
    receivers, joined = like["receivers"], max(1, round(like["frames_per_write"]))
    wires = [
        (await loop.create_connection(lambda: BareWire("", ""), "127.0.0.1", server.port))[1] for _ in range(receivers)
    ]
    _, sender = await asyncio.open_connection("127.0.0.1", server.port)
    sender.write(b"s")
    await asyncio.sleep(settle)
    padding = max(0, round(like["bytes_per_delivery"]) - len(text_frame(_payload(0, 0))))
    try:
        full = await _full_speed(server, wires, sender, padding, joined, seconds)
        paced = await _paced(wires, sender, padding, like["paced_messages_per_s"], seconds)
    finally:
        for wire in wires:
            wire.close()
        sender.close()
        await asyncio.sleep(settle)
    return {"receivers": receivers, "frames_per_write": joined} | full | paced


def _payload(index: int, padding: int) -> bytes:
    return b'{"body":"%s%s"}' % (body_of(index).encode(), b"." * padding)


def _watch(wires: list[BareWire]) -> Tally:
    chosen = wires[:: max(1, len(wires) // WATCHED)]
    tally = Tally(len(chosen))
    for wire in wires:
        wire.on_text = None
    for wire in chosen:
        wire.on_text = tally.on_text
    return tally


async def _full_speed(
    server: Server, wires: list[BareWire], sender: asyncio.StreamWriter, padding: int, joined: int, seconds: float
) -> dict[str, Any]:
    """One message in the tally is a round: it carries `joined` frames, of which the last is looked for."""
    tally = _watch(wires)
    filler = text_frame(b'{"x":"%s"}' % (b"." * (padding + len(_payload(0, 0)) - 8)))

    def send(due: float) -> None:
        sender.write(filler * (joined - 1) + text_frame(_payload(tally.add(due), padding)))

    before = server.usage()
    took = await closed_loop(ROUNDS, seconds, tally, send)
    used = server.usage().since(before)
    deliveries = tally.complete * len(wires) * joined
    return {
        "deliveries_per_s": deliveries / took,
        "gateway_cpu_s_per_million": used.cpu_of("bare") / max(1, deliveries) * 1e6,
        "cpu_s": used.cpu,
    }


async def _paced(
    wires: list[BareWire], sender: asyncio.StreamWriter, padding: int, rate: float, seconds: float
) -> dict[str, Any]:
    tally = _watch(wires)
    await open_loop(rate, seconds, lambda due: sender.write(text_frame(_payload(tally.add(due), padding))))
    await tally.finished(10)
    return {
        "receipt_p50_ms": percentile(tally.receipts, 0.5) * 1000,
        "receipt_p99_ms": percentile(tally.receipts, 0.99) * 1000,
    }
