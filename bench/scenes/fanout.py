"""One room, many receivers: how much a delivery costs, and how long it takes.

First as fast as it goes, with a window of messages under way; then at half of that rate, in an open loop, for latency.
"""

import asyncio
import random
from typing import Any

from bench.chats import Chat
from bench.client.wire import Wire
from bench.tally import Tally, closed_loop, open_loop, percentile

WINDOW = 64
WATCHED = 16
"""Sockets that look at what they receive; the others count."""
SENDERS = 8


async def run(chat: Chat, receivers: int, seconds: float, settle: float) -> dict[str, Any]:
    room_id, wires = await chat.one_room(receivers)
    try:
        await asyncio.sleep(settle)
        full = await _full_speed(chat, room_id, wires, seconds)
        paced = await _paced(chat, room_id, wires, full["messages_per_s"] / 2, seconds)
    finally:
        for wire in wires:
            wire.close()
        await asyncio.sleep(settle)
    return full | paced


def _watch(chat: Chat, room_id: str, wires: list[Wire]) -> tuple[Tally, Any]:
    chosen = random.Random(1).sample(wires, min(WATCHED, len(wires)))
    tally = Tally(len(chosen))
    for wire in wires:
        wire.on_text = None
    for wire in chosen:
        wire.on_text = tally.on_text
    senders = chosen[:SENDERS]

    def send(due: float) -> None:
        index = tally.add(due)
        senders[index % len(senders)].send(chat.message(room_id, index))

    return tally, send


async def _full_speed(chat: Chat, room_id: str, wires: list[Wire], seconds: float) -> dict[str, Any]:
    tally, send = _watch(chat, room_id, wires)
    bytes_before = sum(wire.received_bytes for wire in wires)
    before = chat.server.usage()
    took = await closed_loop(WINDOW, seconds, tally, send)
    used = chat.server.usage().since(before)
    deliveries = tally.complete * len(wires)
    size = (sum(wire.received_bytes for wire in wires) - bytes_before) / max(1, deliveries)
    return {
        "receivers": len(wires),
        "lost": sum(wire.lost for wire in wires),
        "messages_per_s": tally.complete / took,
        "deliveries_per_s": deliveries / took,
        "bytes_per_delivery": size,
        "frames_per_write": deliveries / max(1, used.writes_of(chat.gateway)),
        "gateway_cpu_s_per_million": used.cpu_of(chat.gateway) / max(1, deliveries) * 1e6,
        "all_cpu_s_per_million": used.cpu_of() / max(1, deliveries) * 1e6,
        "cpu_s": used.cpu,
    }


async def _paced(chat: Chat, room_id: str, wires: list[Wire], rate: float, seconds: float) -> dict[str, Any]:
    tally, send = _watch(chat, room_id, wires)
    await open_loop(rate, seconds, send)
    await tally.finished(10)
    return {
        "paced_messages_per_s": rate,
        "receipt_p50_ms": percentile(tally.receipts, 0.5) * 1000,
        "receipt_p99_ms": percentile(tally.receipts, 0.99) * 1000,
        "errors": tally.errors,
    }
