"""What it costs a service to tell: log lines, spans and figures, as a share of the send path's CPU.

Two stacks on one core, one as it is shipped, one that says nothing, and the same load on each in turn, in many short
rounds: what slows the machine down meanwhile meets both. Only rooms and the gateways are counted; the share is the
median of the rounds. Beside it stands the share of metrics alone by count, which no other program disturbs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.chats import Chat, WebChat
from bench.client.people import sign_up
from bench.client.wire import Wire
from bench.counted import observations, unit_costs
from bench.scenes.small_rooms import Room, step
from bench.server import stack
from bench.server.stack import Server
from bench.size import Size

SILENT = {
    "METRICS": "off",
    "TRACE_SAMPLE": "0",
    "PYTHONPATH": str(Path(__file__).parents[1] / "server" / "silent"),
}
ROUND = 0.3
"""Of the other scenes' time."""
SEND_PATH = ("rooms", "chat-gateway")


class Side:
    """One of the two stacks, with people in rooms."""

    def __init__(self, chat: Chat, rooms: list[Room]) -> None:
        self._chat, self._rooms = chat, rooms
        self._wires: list[Wire] = list({id(wire): wire for _, three in rooms for wire in three}.values())

    async def cost(self, rate: float, seconds: float) -> float:
        """CPU-seconds of the send path for a thousand messages."""
        used = await step(self._chat, self._rooms, self._wires, rate, seconds)
        return float(sum(cpu for name, cpu in used["cpu_s_per_1000"].items() if name.startswith(SEND_PATH)))

    def close(self) -> None:
        for wire in self._wires:
            wire.close()


@asynccontextmanager
async def silent_stack(folder: Path, *, at_once: bool) -> AsyncIterator[Callable[[], Awaitable[Server]]]:
    """Yield what returns the stack that reports nothing; it starts then, or `at_once`."""
    context = stack.webchat(folder / "silent", **SILENT)
    started: list[asyncio.Task[Server]] = []

    async def start() -> Server:
        if not started:
            started.append(asyncio.create_task(asyncio.to_thread(context.__enter__)))
        return await started[0]

    early = asyncio.create_task(start()) if at_once else None
    try:
        yield start
    finally:
        if early is not None:
            await early
        if started:
            await asyncio.to_thread(context.__exit__, None, None, None)


async def run(chat: Chat, size: Size, start: Callable[[], Awaitable[Server]]) -> dict[str, Any]:
    """Measure `chat`, which reports, against the stack of `start`, which does not."""
    server = await start()
    other = WebChat(server, await sign_up(server.port, size.users))
    telling = Side(chat, await chat.small_rooms(size.small_rooms))
    silent = Side(other, await other.small_rooms(size.small_rooms))
    ports = [port for name, port in chat.server.ports.items() if name.startswith(SEND_PATH)]
    rounds: list[tuple[float, float]] = []
    observed, requests = observations(ports)
    for number in range(size.telling_rounds + 1):
        cost = dict[Side, float]()
        for side in (telling, silent) if number % 2 else (silent, telling):
            cost[side] = await side.cost(size.telling_rate, size.seconds * ROUND)
        rounds.append((cost[telling], cost[silent]))
    counted = [after - before for after, before in zip(observations(ports), (observed, requests), strict=True)]
    telling.close()
    silent.close()
    await asyncio.sleep(size.settle)
    messages = size.telling_rate * size.seconds * ROUND * len(rounds)
    per_message = sum(count * cost for count, cost in zip(counted, unit_costs(), strict=True)) / messages
    return _figures(size.telling_rate, rounds[1:], per_message)  # the first round warms both up


def _figures(rate: float, rounds: list[tuple[float, float]], counted: float) -> dict[str, Any]:
    shares = sorted((told - silent) / max(1e-9, told) for told, silent in rounds)
    quarter = len(shares) // 4
    told = median(told for told, _ in rounds)
    return {
        "rate": rate,
        "metrics_share_by_count": counted * 1000 / max(1e-9, told),
        "telling": {"send_path_s_per_1000": told},
        "silent": {"send_path_s_per_1000": median(silent for _, silent in rounds)},
        "telling_share": median(shares),
        "telling_share_rounds": {"count": len(shares), "low": shares[quarter], "high": shares[-1 - quarter]},
    }
