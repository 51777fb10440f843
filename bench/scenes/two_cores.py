"""The same servers on one core and on two: how much more they do with twice the CPU.

Both gateways, nginx, the services and the stores move together. The load generator has a core to itself if the machine
has three; with two cores it shares them with the servers, and its CPU is taken out of the comparison.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench.chats import Chat
from bench.client.socket import Socket
from bench.cores import LOADING, SERVING, THIRD, TWO, is_pinning, move, pin
from bench.scenes import fanout, small_rooms
from bench.size import Size


async def run(chat: Chat, size: Size) -> dict[str, Any]:
    room_id, sockets = await chat.one_room(size.receivers[1])
    in_one_room = await _compare(chat, lambda: _fanout(chat, room_id, sockets, size))
    await _close(sockets, size)
    rooms = await chat.small_rooms(size.small_rooms)
    in_small_rooms = await _compare(chat, lambda: _small(chat, rooms, size))
    await _close(small_rooms.sockets_of(rooms), size)
    return {
        "load_shares_the_cores": not THIRD,
        "pinned": is_pinning(),
        "fanout": in_one_room,
        "small_rooms": in_small_rooms,
    }


async def _compare(chat: Chat, measure: Callable[[], Awaitable[dict[str, float]]]) -> dict[str, Any]:
    """Measure on one core and on two. Afterwards all processes are back on their own core."""
    pids = chat.server.pids.values()
    one = await measure()
    move(pids, TWO)
    pin(THIRD or TWO)
    try:
        two = await measure()
    finally:
        move(pids, SERVING)
        pin(LOADING)
    return {"one": one, "two": two} | gain(one, two, shared=not THIRD)


async def _close(sockets: list[Socket], size: Size) -> None:
    for socket in sockets:
        socket.close()
    await asyncio.sleep(size.settle)


def gain(one: dict[str, float], two: dict[str, float], *, shared: bool) -> dict[str, float]:
    """Return how many times more two cores do than one.

    `ratio_without_load` compares the rates per core that the load leaves to the servers: on one core all of it, on two
    what its own CPU does not take.
    """
    left = 2 - two["load_cpu_per_s"] if shared else 2.0
    return {
        "ratio": two["units_per_s"] / one["units_per_s"],
        "ratio_without_load": 2 * two["units_per_s"] / left / one["units_per_s"],
    }


async def _fanout(chat: Chat, room_id: str, sockets: list[Socket], size: Size) -> dict[str, float]:
    """Count deliveries."""
    full, load = await _with_load_cpu(fanout.full_speed(chat, room_id, sockets, size.seconds))
    rate, cost = full["deliveries_per_s"], full["all_cpu_s_per_million"]
    return {"units_per_s": rate, "cpu_s_per_million": cost, "load_cpu_per_s": load}


async def _small(chat: Chat, rooms: list[small_rooms.Room], size: Size) -> dict[str, float]:
    """Count committed texts that all members have received."""
    full, load = await _with_load_cpu(small_rooms.full_speed(chat, rooms, size.seconds))
    rate, cost = full["texts_per_s"], full["cpu_s_per_10000"] * 100
    return {"units_per_s": rate, "cpu_s_per_million": cost, "load_cpu_per_s": load}


async def _with_load_cpu(scene: Awaitable[dict[str, Any]]) -> tuple[dict[str, Any], float]:
    """Return the figures of the scene, and the CPU-seconds per second of this process, the load generator."""
    began, before = time.perf_counter(), time.process_time()
    figures = await scene
    return figures, (time.process_time() - before) / (time.perf_counter() - began)
