"""Memory per idle connection, of nginx and of the processes that hold sockets.

It runs first, while the allocators are fresh.
"""

import asyncio
from typing import Any

from bench.chats import Chat

WARM_UP = 20


async def run(chat: Chat, connections: int, settle: float) -> dict[str, Any]:
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
    gateways, nginx = (grown.resident_of(name) / connections for name in (chat.gateway, "nginx"))
    return {
        "connections": connections,
        "gateway_bytes_per_connection": gateways,
        "nginx_bytes_per_connection": nginx,
        "bytes_per_connection": gateways + nginx,
        "cpu_s": grown.cpu,
    }
