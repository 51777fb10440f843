"""Many small rooms: the capacity with a window of messages in flight, then the latency at shares of it.

The best rate is the highest at which 99 % of the messages are acknowledged and received within 200 ms.
"""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.chats import Chat
from bench.client.socket import Socket
from bench.scenes import load_curve
from bench.size import Size
from bench.tally import Tally, closed_loop

LIMIT_MS = 200.0
WINDOW = 256
Room = tuple[str, list[Socket]]


async def run(chat: Chat, size: Size) -> dict[str, Any]:
    rooms = await chat.small_rooms(size.small_rooms)
    try:
        full = await full_speed(chat, rooms, size.seconds)
        start = partial(watch, chat, rooms)
        curve = await load_curve.run(chat.server, full["texts_per_s"], size.shares, size.seconds * 0.6, start)
    finally:
        for socket in sockets_of(rooms):
            socket.close()
        await asyncio.sleep(size.settle)
    held = [point for point in curve if _is_held(point)]
    best = held[-1] if held else curve[0] | {"committed_per_s": 0.0}
    return {"best": best, "full_speed": full, "curve": curve}


def _is_held(point: dict[str, Any]) -> bool:
    """Return whether the server keeps up. A server without acknowledgements has none that are late."""
    late = any(point[name] > LIMIT_MS for name in ("ack_p99_ms", "receipt_p99_ms"))
    return not (late or point["unfinished"] or point["errors"])


def sockets_of(rooms: list[Room]) -> list[Socket]:
    """Return the sockets, each once: a socket may be in several rooms."""
    return list({id(socket): socket for _, members in rooms for socket in members}.values())


def watch(chat: Chat, rooms: list[Room]) -> tuple[Tally, Callable[[float], None]]:
    """Return a tally of all sockets, and the function that sends the next message to a random room."""
    tally = Tally(len(rooms[0][1]))
    for socket in sockets_of(rooms):
        socket.on_text = tally.on_text
    chosen = random.Random(len(rooms))

    def send(due: float) -> None:
        room_id, members = chosen.choice(rooms)
        chosen.choice(members).send(chat.message(room_id, tally.add(due)))

    return tally, send


async def full_speed(chat: Chat, rooms: list[Room], seconds: float) -> dict[str, Any]:
    tally, send = watch(chat, rooms)
    before = chat.server.usage()
    took = await closed_loop(WINDOW, seconds, tally, send)
    used = chat.server.usage().since(before)
    return {
        "texts_per_s": tally.complete / took,
        "cpu_s_per_10000": used.cpu_of() / max(1, tally.complete) * 10_000,
        "cpu_s": used.cpu,
    }
