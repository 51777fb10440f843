"""An idle system: one user sends twenty messages per second, one receives them."""

import time
from typing import Any

from bench.chats import Chat
from bench.tally import Tally, open_loop, percentile

RATE = 20.0


async def run(chat: Chat, messages: int) -> dict[str, Any]:
    room_id, sockets = await chat.one_room(2)
    tally = Tally(2)
    for socket in sockets:
        socket.on_text = tally.on_text

    def send(_: float) -> None:
        """Send, counting from the actual time of sending, so that timer delays do not count."""
        sockets[0].send(chat.message(room_id, tally.add(time.perf_counter())))

    before = chat.server.usage()
    await open_loop(RATE, messages / RATE, send)
    await tally.finished(5)
    used = chat.server.usage().since(before)
    for socket in sockets:
        socket.close()
    return {
        "messages": tally.complete,
        "receipt_p50_ms": percentile(tally.receipts, 0.5) * 1000,
        "receipt_p99_ms": percentile(tally.receipts, 0.99) * 1000,
        "cpu_s": used.cpu,
    }
