"""An idle system: one says something twenty times a second, one listens."""

import time
from typing import Any

from bench.chats import Chat
from bench.tally import Tally, open_loop, percentile

RATE = 20.0


async def run(chat: Chat, messages: int) -> dict[str, Any]:
    room_id, wires = await chat.one_room(2)
    tally = Tally(2)
    for wire in wires:
        wire.on_text = tally.on_text

    def send(_: float) -> None:
        """From the moment of sending: the timer's millisecond is not the server's."""
        wires[0].send(chat.message(room_id, tally.add(time.perf_counter())))

    before = chat.server.usage()
    await open_loop(RATE, messages / RATE, send)
    await tally.finished(5)
    used = chat.server.usage().since(before)
    for wire in wires:
        wire.close()
    return {
        "messages": tally.complete,
        "receipt_p50_ms": percentile(tally.receipts, 0.5) * 1000,
        "receipt_p99_ms": percentile(tally.receipts, 0.99) * 1000,
        "cpu_s": used.cpu,
    }
