"""Memory of the gateways for a connection that says nothing. It comes first: the allocators are still fresh."""

import asyncio
from typing import Any

from bench.chats import WebChat

WARM_UP = 20


async def run(chat: WebChat, connections: int, settle: float) -> dict[str, Any]:
    """Growth of resident memory, after some connections that touch all code once; `settle` seconds of quiet."""
    _, first = await chat.one_room(WARM_UP)
    await asyncio.sleep(settle)
    before = chat.server.usage()
    _, wires = await chat.one_room(connections)
    await asyncio.sleep(settle)
    grown = chat.server.usage().since(before)
    for wire in [*first, *wires]:
        wire.close()
    await asyncio.sleep(settle)
    return {
        "connections": connections,
        "gateway_bytes_per_connection": grown.resident_of(chat.gateway) / connections,
        "nginx_bytes_per_connection": grown.resident_of("nginx") / connections,
        "cpu_s": grown.cpu,
    }
