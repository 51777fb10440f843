"""Many clients come back at once, each behind by as many events: a gateway restarted, a train left a tunnel."""

import asyncio
import contextlib
import random
import time
from typing import Any

from bench.chats import WebChat
from bench.client.people import OPENED_AT_ONCE, SOCKETS_PER_USER, open_group
from bench.client.wire import Talker, Wire, connect
from bench.tally import Tally, percentile, until

PATIENCE = 40.0


class Returning:
    """A client that comes back: complete when it has seen the event `last`."""

    def __init__(self, last: int) -> None:
        self.complete_at = 0.0
        self.changed = asyncio.Event()
        self.tries = 0
        """Connections that ended before it was complete."""
        self._mark = b'"version":%d,' % last

    def on_text(self, text: bytes) -> None:
        if not self.complete_at and self._mark in text and text.startswith(b'{"op":"message.created"'):
            self.complete_at = time.perf_counter()
            self.changed.set()


async def run(chat: WebChat, clients: int, missed: int) -> dict[str, Any]:
    """`missed` events happen while nobody is there; then `clients` come at once."""
    people = chat.people[: max(2, -(-clients // SOCKETS_PER_USER))]
    room_id = await open_group(people[0], people[1:], "tunnel")
    sender = await Talker.join(chat.server.port, people[0].cookie)
    assert sender.ready is not None
    seen = next(room["version"] for room in sender.ready.rooms if room["room_id"] == room_id)
    await _say(chat, room_id, sender.wire, missed)
    sender.wire.close()
    returning = [Returning(seen + missed) for _ in range(clients)]
    hello = {"op": "hello", "cursors": {room_id: seen}, "epoch": sender.epoch}
    before, began = chat.server.usage(), time.perf_counter()
    cookies = [people[number % len(people)].cookie for number in range(clients)]
    wires = await asyncio.gather(*map(_come_back, [chat.server.port] * clients, cookies, returning, [hello] * clients))
    used = chat.server.usage().since(before)
    for wire in filter(None, wires):
        wire.close()
    took = [one.complete_at - began for one in returning if one.complete_at]
    return {
        "clients": clients,
        "missed": missed,
        "complete": len(took),
        "came_again": sum(one.tries for one in returning),
        "all_complete_s": max(took, default=float("nan")),
        "p50_s": percentile(took, 0.5),
        "cpu_total_s": used.cpu_of(),
        "cpu_s": used.cpu,
    }


async def _say(chat: WebChat, room_id: str, wire: Wire, count: int) -> None:
    """Send `count` messages from one socket, as fast as they are committed."""
    tally = Tally(1)
    wire.on_text = tally.on_text

    def send(due: float) -> None:
        if len(tally.due) < count:
            wire.send(chat.message(room_id, tally.add(due)))

    tally.on_complete = lambda: send(time.perf_counter())
    for _ in range(OPENED_AT_ONCE):
        send(time.perf_counter())
    if not await until(lambda: tally.complete == count, PATIENCE):
        raise RuntimeError(f"{tally.complete} of {count} messages were committed")


async def _come_back(port: int, cookie: str, one: Returning, hello: dict[str, Any]) -> Wire | None:
    """As clients do: where a part is away or the socket is closed, come again after a while."""
    headers = f"Cookie: {cookie}\r\nSec-WebSocket-Protocol: webchat.v1\r\n"
    wire, began = None, time.perf_counter()
    while not one.complete_at and time.perf_counter() - began < PATIENCE:
        try:
            wire = await connect(port, "/api/chat/ws", headers, one.on_text)
        except (OSError, TimeoutError):
            one.tries += 1
            await asyncio.sleep(random.uniform(0.5, 2))
            continue
        one.changed.clear()
        wire.on_lost = one.changed.set
        wire.send(hello)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(one.changed.wait(), max(0.1, PATIENCE - (time.perf_counter() - began)))
        if not one.complete_at:
            one.tries += 1
            await asyncio.sleep(random.uniform(0.5, 2))
    return wire
