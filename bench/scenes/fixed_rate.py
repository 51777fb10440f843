"""One room at a fixed, moderate rate: the time from sending a text to its receipt by the members."""

import asyncio
from typing import Any

from bench.chats import Chat
from bench.scenes import load_curve
from bench.scenes.fanout import watch

RATE = 10.0


async def run(chat: Chat, members: int, seconds: float, settle: float) -> dict[str, Any]:
    room_id, sockets = await chat.one_room(members)
    await asyncio.sleep(settle)
    point = await load_curve.measure(chat.server, RATE, seconds, watch(chat, room_id, sockets))
    for socket in sockets:
        socket.close()
    await asyncio.sleep(settle)
    return {"members": members} | point
