"""Many clients reconnect at once, each missing the same number of events, as after the restart of a gateway."""

import asyncio
import contextlib
import random
import time
from typing import Any

from bench.chats import WebChat
from bench.client.accounts import OPENED_AT_ONCE, SOCKETS_PER_USER, open_group
from bench.client.socket import Client, Socket, connect
from bench.tally import Tally, percentile, until

PATIENCE = 40.0


class ReconnectingClient:
    """A client that reconnects. It is complete when it has received the event `last`."""

    def __init__(self, last: int) -> None:
        self.complete_at = 0.0
        self.changed = asyncio.Event()
        self.tries = 0
        """Connections that closed before it was complete."""
        self._mark = b'"version":%d,' % last

    def on_text(self, text: bytes) -> None:
        if not self.complete_at and self._mark in text and text.startswith(b'{"op":"message.created"'):
            self.complete_at = time.perf_counter()
            self.changed.set()


async def run(chat: WebChat, clients: int, missed: int) -> dict[str, Any]:
    """Send `missed` messages while the clients are disconnected, then reconnect all `clients` at once."""
    accounts = chat.accounts[: max(2, -(-clients // SOCKETS_PER_USER))]
    room_id = await open_group(accounts[0], accounts[1:], "tunnel")
    sender = await Client.join(chat.server.port, accounts[0].cookie)
    assert sender.ready is not None
    seen = next(room["version"] for room in sender.ready.rooms if room["room_id"] == room_id)
    await _say(chat, room_id, sender.socket, missed)
    sender.socket.close()
    returning = [ReconnectingClient(seen + missed) for _ in range(clients)]
    hello = {"op": "hello", "cursors": {room_id: seen}, "epoch": sender.epoch}
    before, began = chat.server.usage(), time.perf_counter()
    cookies = [accounts[number % len(accounts)].cookie for number in range(clients)]
    sockets = await asyncio.gather(
        *map(_reconnect, [chat.server.port] * clients, cookies, returning, [hello] * clients)
    )
    used = chat.server.usage().since(before)
    for socket in filter(None, sockets):
        socket.close()
    took = [one.complete_at - began for one in returning if one.complete_at]
    return {
        "clients": clients,
        "missed": missed,
        "complete": len(took),
        "reconnects": sum(one.tries for one in returning),
        "all_complete_s": max(took, default=float("nan")),
        "p50_s": percentile(took, 0.5),
        "cpu_total_s": used.cpu_of(),
        "cpu_s": used.cpu,
    }


async def _say(chat: WebChat, room_id: str, socket: Socket, count: int) -> None:
    """Send `count` messages from one socket, as fast as they are committed."""
    tally = Tally(1)
    socket.on_text = tally.on_text

    def send(due: float) -> None:
        if len(tally.due) < count:
            socket.send(chat.message(room_id, tally.add(due)))

    tally.on_complete = lambda: send(time.perf_counter())
    for _ in range(OPENED_AT_ONCE):
        send(time.perf_counter())
    if not await until(lambda: tally.complete == count, PATIENCE):
        raise RuntimeError(f"{tally.complete} of {count} messages were committed")


async def _reconnect(port: int, cookie: str, one: ReconnectingClient, hello: dict[str, Any]) -> Socket | None:
    """Connect and resume like a real client: retry after a pause if it fails or the socket closes."""
    headers = f"Cookie: {cookie}\r\nSec-WebSocket-Protocol: webchat.v1\r\n"
    socket, began = None, time.perf_counter()
    while not one.complete_at and time.perf_counter() - began < PATIENCE:
        try:
            socket = await connect(port, "/api/chat/ws", headers, one.on_text)
        except (OSError, TimeoutError):
            one.tries += 1
            await asyncio.sleep(random.uniform(0.5, 2))
            continue
        one.changed.clear()
        socket.on_lost = one.changed.set
        socket.send(hello)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(one.changed.wait(), max(0.1, PATIENCE - (time.perf_counter() - began)))
        if not one.complete_at:
            one.tries += 1
            await asyncio.sleep(random.uniform(0.5, 2))
    return socket
