"""Many small rooms: the rate rises step by step until the 99th percentile passes 200 ms.

An open loop: the latency of a message counts from the time it was due, so that the stalls of a server are not hidden by
fewer requests (coordinated omission).
"""

import asyncio
import random
from typing import Any

from bench.chats import Chat
from bench.client.socket import Socket
from bench.size import Size
from bench.tally import Tally, open_loop, percentile

LIMIT_MS = 200.0
Room = tuple[str, list[Socket]]


async def run(chat: Chat, size: Size) -> dict[str, Any]:
    rooms = await chat.small_rooms(size.small_rooms)
    sockets = list({id(socket): socket for _, three in rooms for socket in three}.values())
    steps: list[dict[str, Any]] = []
    rate = size.first_rate
    try:
        for _ in range(size.most_steps):
            steps.append(await step(chat, rooms, sockets, rate, size.seconds * 0.6))
            if not steps[-1]["held"]:
                break
            rate *= size.rate_growth
    finally:
        for socket in sockets:
            socket.close()
        await asyncio.sleep(size.settle)
    held = [step for step in steps if step["held"]]
    best = held[-1] if held else steps[0] | {"committed_per_s": 0.0}
    return {"best": best, "steps": steps}


async def step(chat: Chat, rooms: list[Room], sockets: list[Socket], rate: float, seconds: float) -> dict[str, Any]:
    tally = Tally(len(rooms[0][1]))
    for socket in sockets:
        socket.on_text = tally.on_text
    chosen = random.Random(rate)

    def send(due: float) -> None:
        room_id, members = chosen.choice(rooms)
        chosen.choice(members).send(chat.message(room_id, tally.add(due)))

    before = chat.server.usage()
    await open_loop(rate, seconds, send)
    complete = await tally.finished(3)
    used = chat.server.usage().since(before)
    acked, received = percentile(tally.acks, 0.99) * 1000, percentile(tally.receipts, 0.99) * 1000
    slow = acked > LIMIT_MS or received > LIMIT_MS
    return {
        "rate": rate,
        "held": complete and not slow and not tally.errors,
        "committed_per_s": tally.complete / seconds,
        "ack_p50_ms": percentile(tally.acks, 0.5) * 1000,
        "ack_p99_ms": acked,
        "receipt_p50_ms": percentile(tally.receipts, 0.5) * 1000,
        "receipt_p99_ms": received,
        "errors": tally.errors,
        "cpu_s_per_1000": {name: cpu / max(1, tally.complete) * 1000 for name, cpu in used.cpu.items()},
        "cpu_s": used.cpu,
    }
