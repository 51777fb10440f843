"""One room with many receivers: the cost and the latency of a delivery.

First at full speed, with a window of messages in flight; then for latency in an open loop at half of that rate.
"""

import asyncio
import random
from typing import Any

from bench.chats import Chat
from bench.client.socket import Socket
from bench.tally import Tally, closed_loop, open_loop, percentile

WINDOW = 64
WATCHED = 16
"""Number of sockets that parse received frames; the others only count them."""
SENDERS = 8


async def run(chat: Chat, receivers: int, seconds: float, settle: float) -> dict[str, Any]:
    room_id, sockets = await chat.one_room(receivers)
    try:
        await asyncio.sleep(settle)
        full = await _full_speed(chat, room_id, sockets, seconds)
        paced = await _paced(chat, room_id, sockets, full["messages_per_s"] / 2, seconds)
    finally:
        for socket in sockets:
            socket.close()
        await asyncio.sleep(settle)
    return full | paced


def _watch(chat: Chat, room_id: str, sockets: list[Socket]) -> tuple[Tally, Any]:
    chosen = random.Random(1).sample(sockets, min(WATCHED, len(sockets)))
    tally = Tally(len(chosen))
    for socket in sockets:
        socket.on_text = None
    for socket in chosen:
        socket.on_text = tally.on_text
    senders = chosen[:SENDERS]

    def send(due: float) -> None:
        index = tally.add(due)
        senders[index % len(senders)].send(chat.message(room_id, index))

    return tally, send


async def _full_speed(chat: Chat, room_id: str, sockets: list[Socket], seconds: float) -> dict[str, Any]:
    tally, send = _watch(chat, room_id, sockets)
    bytes_before = sum(socket.received_bytes for socket in sockets)
    before = chat.server.usage()
    took = await closed_loop(WINDOW, seconds, tally, send)
    used = chat.server.usage().since(before)
    deliveries = tally.complete * len(sockets)
    size = (sum(socket.received_bytes for socket in sockets) - bytes_before) / max(1, deliveries)
    return {
        "receivers": len(sockets),
        "lost": sum(socket.lost for socket in sockets),
        "messages_per_s": tally.complete / took,
        "deliveries_per_s": deliveries / took,
        "bytes_per_delivery": size,
        "frames_per_write": deliveries / max(1, used.writes_of(chat.gateway)),
        "gateway_cpu_s_per_million": used.cpu_of(chat.gateway) / max(1, deliveries) * 1e6,
        "all_cpu_s_per_million": used.cpu_of() / max(1, deliveries) * 1e6,
        "cpu_s": used.cpu,
    }


async def _paced(chat: Chat, room_id: str, sockets: list[Socket], rate: float, seconds: float) -> dict[str, Any]:
    tally, send = _watch(chat, room_id, sockets)
    await open_loop(rate, seconds, send)
    await tally.finished(10)
    return {
        "paced_messages_per_s": rate,
        "receipt_p50_ms": percentile(tally.receipts, 0.5) * 1000,
        "receipt_p99_ms": percentile(tally.receipts, 0.99) * 1000,
        "errors": tally.errors,
    }
