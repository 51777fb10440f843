"""Very many idle connections, and half of them losing their gateway at once.

A process may open only so many files, and a WebSocket takes two of nginx. Where one nginx or one load process is not
allowed enough of them, several run, like several hosts behind a load balancer. Their memory and CPU are counted in.
"""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from bench.client.accounts import Account, open_group, sign_up
from bench.client.crowd import PING_SECONDS, CrowdOrder, CrowdReport
from bench.cores import OWN_FILES, SERVING, TWO, allow_sockets, move
from bench.server import stack
from bench.server.stack import ROOT, Server
from bench.size import Size
from bench.tally import percentile

GROUP = 20
"""The size of rooms. Every user is in one."""
SIGNING_UP_AT_ONCE = 50
POLL_SECONDS = 0.5
OPEN_SECONDS, RETURN_SECONDS = 1500.0, 600.0
KILLED = "chat-gateway-1"
Figures = dict[str, Any]


class LoadProcesses:
    """The processes that hold the sockets."""

    def __init__(self, processes: list[asyncio.subprocess.Process]) -> None:
        self._processes = processes

    async def report(self) -> CrowdReport:
        """Return the sum of the processes' reports."""
        reports = await asyncio.gather(*map(_report, self._processes))
        refused: Counter[str] = Counter()
        for report in reports:
            refused.update(report.refused)
        return CrowdReport(
            live=sum(report.live for report in reports),
            lost=sum(report.lost for report in reports),
            refused=dict(refused),
            returned_at=sorted(at for report in reports for at in report.returned_at),
        )

    async def until_live(self, count: int, seconds: float, *, lost: int = 0) -> CrowdReport:
        """Wait until `count` sockets are live after at least `lost` were lost, and return the last report."""
        deadline = time.perf_counter() + seconds
        while (report := await self.report()).live < count or report.lost < lost:
            if time.perf_counter() > deadline:
                break
            await asyncio.sleep(POLL_SECONDS)
        return report


async def _report(process: asyncio.subprocess.Process) -> CrowdReport:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"report\n")
    return msgspec.json.decode(await process.stdout.readline(), type=CrowdReport)


@asynccontextmanager
async def crowd_of(ports: list[int], accounts: list[Account], count: int, files: int) -> AsyncIterator[LoadProcesses]:
    """Start the processes that open `count` sockets, each process from its own addresses."""
    each = -(-count // -(-count // (files - OWN_FILES)))  # as few processes as the files allow, all of one size
    processes = []
    try:
        for number, first in enumerate(range(0, count, each)):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bench.client.crowd",
                cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24,
            )  # fmt: skip
            processes.append(process)
            order = CrowdOrder(
                ports=ports,
                addresses=[f"127.0.0.{2 + 2 * number + half}" for half in range(2)],
                cookies=[account.cookie for account in accounts],
                count=min(each, count - first),
            )
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(order) + b"\n")
        yield LoadProcesses(processes)
    finally:
        for process in processes:
            process.kill()
            await process.wait()


def settings() -> dict[str, str]:
    """Return the settings of a stack for this scene.

    Passwords are hashed cheaply, because the scene needs many accounts and measures no sign-in.
    """
    return {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8", "NGINX_CONNECTIONS": str(allow_sockets())}


async def run(server: Server, size: Size) -> Figures:
    files, count = allow_sockets(), size.crowd
    edges = -(-2 * count // (files - OWN_FILES))
    with stack.further_edges(server, edges - 1) as (served, ports):
        move(served.pids.values(), TWO)
        accounts = await _accounts(server.port, size.crowd_accounts)
        return await _measure(served, ports, accounts, files, size)


async def _measure(server: Server, ports: list[int], accounts: list[Account], files: int, size: Size) -> Figures:
    """Open the connections and lose a gateway. The servers may use two cores while the connections are opened."""
    count = size.crowd
    alone = await _rest(server, size.crowd_rest_seconds)
    before = server.usage()
    async with crowd_of(ports, accounts, count, files) as crowd:
        began = time.perf_counter()
        if (report := await crowd.until_live(count, OPEN_SECONDS)).live < count:
            raise RuntimeError(f"only {report.live} of {count} connections could be opened: {report.refused}")
        opened_s = time.perf_counter() - began
        move(server.pids.values(), SERVING)
        await asyncio.sleep(size.settle)
        grown, opened = server.usage().since(before), server.usage()
        rest = await _rest(server, size.crowd_rest_seconds)
        lost = await _lose_gateway(server, crowd, count)
    heartbeats = count * 60 / PING_SECONDS
    return {
        "connections": count,
        "accounts": len(accounts),
        "edges": len(ports),
        "opened_s": opened_s,
        "cpu_ms_per_connect": grown.cpu_of() / count * 1000,
        "resident_mb": {name: resident / 1e6 for name, resident in opened.resident.items()},
        "all_mb": opened.resident_of("") / 1e6,
        "bytes_per_connection": (grown.resident_of("nginx") + grown.resident_of("chat-gateway")) / count,
        "all_bytes_per_connection": grown.resident_of("") / count,
        "alone_cpu_s_per_minute": alone,
        "rest_cpu_s_per_minute": rest,
        "heartbeat_cpu_us": (rest - alone) / heartbeats * 1e6,
        "lost_gateway": lost,
        "cpu_s": grown.cpu,
    }


async def _accounts(port: int, count: int) -> list[Account]:
    """Sign up, and put every user into a room."""
    accounts: list[Account] = []
    while len(accounts) < count:
        accounts += await sign_up(port, min(SIGNING_UP_AT_ONCE, count - len(accounts)))
    for start in range(0, count, GROUP):
        owner, *others = accounts[start : start + GROUP]
        await open_group(owner, others, f"room {start}")
    for account in accounts:
        account.http.close()
    return accounts


async def _rest(server: Server, seconds: float) -> float:
    """Return the CPU-seconds of all servers per minute while nobody does anything."""
    before = server.usage()
    await asyncio.sleep(seconds)
    return server.usage().since(before).cpu_of() / seconds * 60


async def _lose_gateway(server: Server, crowd: LoadProcesses, count: int) -> Figures:
    """Kill a gateway. Its sockets reconnect to the other one and, once it runs again, to the new one."""
    earlier = await crowd.report()
    before = server.usage().without(KILLED)
    killed_at = time.perf_counter()
    os.kill(server.pids[KILLED], signal.SIGKILL)
    report = await crowd.until_live(count, RETURN_SECONDS, lost=earlier.lost + count // 4)
    used = server.with_present_pids().usage().since(before)
    lost = report.lost - earlier.lost
    took = [at - killed_at for at in report.returned_at if at > killed_at]
    refused = {reason: number - earlier.refused.get(reason, 0) for reason, number in report.refused.items()}
    return {
        "lost": lost,
        "returned": report.live - (count - lost),
        "all_live_s": max(took) if report.live == count else float("nan"),
        "p50_s": percentile(took, 0.5),
        "p99_s": percentile(took, 0.99),
        "refused": sum(refused.values()),
        "refused_by_reason": {reason: number for reason, number in refused.items() if number},
        "cpu_total_s": used.cpu_of(),
        "cpu_ms_per_socket": used.cpu_of() / max(1, lost) * 1000,
        "cpu_s": used.cpu,
    }
