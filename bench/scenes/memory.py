"""Memory of the gateways per idle connection. It runs first, while the allocators are fresh."""

import asyncio
from typing import Any

from bench.chats import WebChat

WARM_UP = 20


async def run(chat: WebChat, connections: int, settle: float) -> dict[str, Any]:
    """Measure the growth of resident memory after a warm-up, with `settle` seconds of quiet."""
    _, first = await chat.one_room(WARM_UP)
    await asyncio.sleep(settle)
    before = chat.server.usage()
    _, sockets = await chat.one_room(connections)
    await asyncio.sleep(settle)
    grown = chat.server.usage().since(before)
    for socket in [*first, *sockets]:
        socket.close()
    await asyncio.sleep(settle)
    return {
        "connections": connections,
        "gateway_bytes_per_connection": grown.resident_of(chat.gateway) / connections,
        "nginx_bytes_per_connection": grown.resident_of("nginx") / connections,
        "cpu_s": grown.cpu,
    }
