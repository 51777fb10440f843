"""One room with many receivers: the cost and the latency of a delivery.

First at full speed, with a window of messages in flight; then for latency in an open loop at shares of that rate.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from bench.chats import Chat
from bench.client.socket import Socket
from bench.scenes import load_curve
from bench.tally import Tally, closed_loop

WINDOW = 64
WATCHED = 16
"""Number of sockets that parse received frames; the others only count them."""
SENDERS = 8
PACED = 0.5
"""The share of the full speed at which the latency is reported."""


async def run(
    chat: Chat, receivers: int, seconds: float, settle: float, shares: Sequence[float] = (PACED,)
) -> dict[str, Any]:
    """Measure at full speed, then at the `shares` of that rate, of which one is `PACED`."""
    room_id, sockets = await chat.one_room(receivers)
    try:
        await asyncio.sleep(settle)
        full = await full_speed(chat, room_id, sockets, seconds)
        start = partial(watch, chat, room_id, sockets)
        curve = await load_curve.run(chat.server, full["messages_per_s"], shares, seconds * 0.6, start)
        lost = sum(socket.lost for socket in sockets)
    finally:
        for socket in sockets:
            socket.close()
        await asyncio.sleep(settle)
    paced = next(point for point in curve if point["share"] == PACED)
    return full | {
        "lost": lost,
        "paced_messages_per_s": paced["rate"],
        **{name: paced[name] for name in ("receipt_p50_ms", "receipt_p99_ms", "errors")},
        "curve": curve,
    }


def watch(chat: Chat, room_id: str, sockets: list[Socket]) -> tuple[Tally, Callable[[float], None]]:
    """Return a tally of some of the sockets, and the function that sends the next message from one of them."""
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


async def full_speed(chat: Chat, room_id: str, sockets: list[Socket], seconds: float) -> dict[str, Any]:
    tally, send = watch(chat, room_id, sockets)
    bytes_before = sum(socket.received_bytes for socket in sockets)
    before = chat.server.usage()
    took = await closed_loop(WINDOW, seconds, tally, send)
    used = chat.server.usage().since(before)
    deliveries = tally.complete * len(sockets)
    size = (sum(socket.received_bytes for socket in sockets) - bytes_before) / max(1, deliveries)
    return {
        "receivers": len(sockets),
        "messages_per_s": tally.complete / took,
        "deliveries_per_s": deliveries / took,
        "bytes_per_delivery": size,
        "frames_per_write": deliveries / max(1, used.writes_of(chat.gateway)),
        "gateway_cpu_s_per_million": used.cpu_of(chat.gateway) / max(1, deliveries) * 1e6,
        "all_cpu_s_per_million": used.cpu_of() / max(1, deliveries) * 1e6,
        "cpu_s": used.cpu,
    }
