"""The cost of observability: logs, spans and metrics as a share of the send path's CPU.

Two stacks run on one core, one as shipped, one without logs, spans and metrics. They get the same load in turn, in many
short rounds, so that disturbances affect both. Only rooms and the gateways are counted; the share is the median of the
rounds. The share of metrics alone is also computed by count, which other programs do not affect.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.chats import Chat, WebChat
from bench.client.accounts import sign_up
from bench.counted import observations, unit_costs
from bench.scenes import load_curve
from bench.scenes.small_rooms import Room, sockets_of, watch
from bench.server import stack
from bench.size import Size

SILENT = {
    "METRICS": "off",
    "TRACE_SAMPLE": "0",
    "PYTHONPATH": str(Path(__file__).parents[1] / "server" / "silent"),
}
ROUND = 0.3
"""The duration of a round, as a share of the other scenes' duration."""
SEND_PATH = ("rooms", "chat-gateway")


class MeasuredStack:
    """One of the two stacks, with sockets in rooms."""

    def __init__(self, chat: Chat, rooms: list[Room]) -> None:
        self._chat, self._rooms = chat, rooms

    async def cost(self, rate: float, seconds: float) -> float:
        """Return the CPU-seconds of the send path per thousand messages."""
        used = await load_curve.measure(self._chat.server, rate, seconds, watch(self._chat, self._rooms))
        return float(sum(cpu for name, cpu in used["cpu_s_per_1000"].items() if name.startswith(SEND_PATH)))

    def close(self) -> None:
        for socket in sockets_of(self._rooms):
            socket.close()


@asynccontextmanager
async def _silent_chat(chat: Chat, size: Size, folder: Path) -> AsyncIterator[Chat]:
    """Start the silent stack. A quick run shares the first one instead."""
    if size.shares_stack:
        yield chat
        return
    with stack.webchat(folder, **SILENT) as server:
        yield WebChat(server, await sign_up(server.port, size.users))


async def run(chat: Chat, size: Size, folder: Path) -> dict[str, Any]:
    """Measure `chat` against the silent stack, whose data is in `folder`."""
    async with _silent_chat(chat, size, folder) as other:
        return await _compare(chat, other, size)


async def _compare(chat: Chat, other: Chat, size: Size) -> dict[str, Any]:
    reporting = MeasuredStack(chat, await chat.small_rooms(size.small_rooms))
    silent = MeasuredStack(other, await other.small_rooms(size.small_rooms))
    ports = [port for name, port in chat.server.ports.items() if name.startswith(SEND_PATH)]
    rounds: list[tuple[float, float]] = []
    observed, requests = observations(ports)
    for number in range(size.observability_rounds + 1):
        cost = dict[MeasuredStack, float]()
        for side in (reporting, silent) if number % 2 else (silent, reporting):
            cost[side] = await side.cost(size.observability_rate, size.seconds * ROUND)
        rounds.append((cost[reporting], cost[silent]))
    counted = [after - before for after, before in zip(observations(ports), (observed, requests), strict=True)]
    reporting.close()
    silent.close()
    await asyncio.sleep(size.settle)
    messages = size.observability_rate * size.seconds * ROUND * len(rounds)
    per_message = sum(count * cost for count, cost in zip(counted, unit_costs(), strict=True)) / messages
    return _figures(size.observability_rate, rounds[1:], per_message)  # the first round is the warm-up


def _figures(rate: float, rounds: list[tuple[float, float]], counted: float) -> dict[str, Any]:
    shares = sorted((reporting - silent) / max(1e-9, reporting) for reporting, silent in rounds)
    quarter = len(shares) // 4
    reporting = median(reporting for reporting, _ in rounds)
    return {
        "rate": rate,
        "metrics_share_by_count": counted * 1000 / max(1e-9, reporting),
        "observability": {"send_path_s_per_1000": reporting},
        "silent": {"send_path_s_per_1000": median(silent for _, silent in rounds)},
        "observability_share": median(shares),
        "observability_share_rounds": {"count": len(shares), "low": shares[quarter], "high": shares[-1 - quarter]},
    }
