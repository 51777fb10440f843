"""Throughput against latency: an open loop at shares of the capacity, each for some seconds.

The latency of a message counts from the time it was due, so that the stalls of a server are not hidden by fewer
requests (coordinated omission), and the queue of an overloaded server is part of it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from bench.server.stack import Server
from bench.tally import Tally, open_loop, percentile

DRAIN_SECONDS = 10.0

Load = tuple[Tally, Callable[[float], None]]
"""A new tally, and the function that sends its next message."""


async def run(
    server: Server, capacity: float, shares: Sequence[float], seconds: float, start: Callable[[], Load]
) -> list[dict[str, Any]]:
    """Return a point for each share of the capacity. `start` prepares the load of a point."""
    return [{"share": share} | await measure(server, capacity * share, seconds, start()) for share in shares]


async def measure(server: Server, rate: float, seconds: float, load: Load) -> dict[str, Any]:
    """Send at the rate. `texts_per_s` counts what all watched sockets received before the last text was sent."""
    tally, send = load
    before = server.usage()
    await open_loop(rate, seconds, send)
    in_time = tally.complete
    await tally.finished(DRAIN_SECONDS)
    used = server.usage().since(before)
    return {
        "rate": rate,
        "texts_per_s": in_time / seconds,
        "committed_per_s": tally.complete / seconds,
        "unfinished": len(tally.due) - tally.complete,
        "errors": tally.errors,
        "ack_p50_ms": percentile(tally.acks, 0.5) * 1000,
        "ack_p99_ms": percentile(tally.acks, 0.99) * 1000,
        "receipt_p50_ms": percentile(tally.receipts, 0.5) * 1000,
        "receipt_p99_ms": percentile(tally.receipts, 0.99) * 1000,
        "cpu_s_per_10000": used.cpu_of() / max(1, tally.complete) * 10_000,
        "cpu_s_per_1000": {name: cpu / max(1, tally.complete) * 1000 for name, cpu in used.cpu.items()},
        "cpu_s": used.cpu,
    }
