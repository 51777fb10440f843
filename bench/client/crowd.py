"""`python -m bench.client.crowd`: many idle sockets in one process, which reconnect like the web client.

The first line of standard input is a `CrowdOrder`. After that, each line `report` is answered by a line with a
`CrowdReport`. The process ends with its input. It is a process because the number of files of a process is limited.
"""

import asyncio
import contextlib
import itertools
import random
import re
import sys
import time
from collections import Counter

import msgspec
import uvloop

from bench.client.socket import Client

MIN_DELAY, MAX_DELAY, STABLE_SECONDS, PING_SECONDS = 0.5, 30.0, 10.0, 25
"""The times of web/src/core/connection.ts."""
OPENED_AT_ONCE = 100
_STATUS = re.compile(r"HTTP/1\.1 (\d{3})")


class CrowdOrder(msgspec.Struct, kw_only=True):
    """`count` sockets, spread over the ports, the addresses to connect from, and the cookies."""

    ports: list[int]
    addresses: list[str]
    cookies: list[str]
    count: int


class CrowdReport(msgspec.Struct, kw_only=True):
    """`returned_at` has the times, of the clock of `time.perf_counter`, at which lost sockets were live again."""

    live: int
    lost: int
    refused: dict[str, int]
    returned_at: list[float]


class Crowd:
    """All sockets of this process. A socket is live from its `ready` on."""

    def __init__(self, order: CrowdOrder) -> None:
        self._order = order
        self._live: dict[int, Client] = {}
        self._lost = 0
        self._refused: Counter[str] = Counter()
        self._returned_at: list[float] = []
        self._opening = asyncio.Semaphore(OPENED_AT_ONCE)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ping())
            for number in range(self._order.count):
                tasks.create_task(self._keep(number))

    def report(self) -> CrowdReport:
        return CrowdReport(
            live=len(self._live), lost=self._lost, refused=dict(self._refused), returned_at=self._returned_at
        )

    async def _keep(self, number: int) -> None:
        """Keep one socket live. Only the first attempts of all sockets wait for each other."""
        async with self._opening:
            client = await self._open(number)
        failures = 0
        while True:
            if client is not None and await self._until_lost(number, client) >= STABLE_SECONDS:
                failures = 0
            await asyncio.sleep(retry_delay(failures, random.random()))
            failures += 1
            client = await self._open(number)
            if client is not None:
                self._returned_at.append(time.perf_counter())

    async def _open(self, number: int) -> Client | None:
        """Try once. Returns None, and counts the reason, if the socket is not live after that."""
        order = self._order
        port = order.ports[number % len(order.ports)]
        address = order.addresses[number % len(order.addresses)]
        cookie = order.cookies[number % len(order.cookies)]
        try:
            return await Client.join(port, cookie, address)
        except (OSError, TimeoutError) as error:
            self._refused[reason_of(error)] += 1
            return None

    async def _until_lost(self, number: int, client: Client) -> float:
        """Wait until the socket is lost, and return the seconds that it was live."""
        lost, began = asyncio.Event(), time.perf_counter()
        client.socket.on_lost = lost.set
        self._live[number] = client
        if not client.socket.lost:
            await lost.wait()
        del self._live[number]
        self._lost += 1
        return time.perf_counter() - began

    async def _ping(self) -> None:
        """Send the ping of the web client on every socket, spread over the interval."""
        for second in itertools.count():
            for number, client in self._live.items():
                is_due = number % PING_SECONDS == second % PING_SECONDS
                if is_due and not client.socket.transport.is_closing():
                    client.socket.send({"op": "ping", "id": "0"})
            await asyncio.sleep(1)


def retry_delay(failures: int, chance: float) -> float:
    """Return the seconds to wait after the given number of failures in a row; `chance` is between 0 and 1."""
    most: float = min(MAX_DELAY, MIN_DELAY * 2.0 ** (failures + 1))
    return MIN_DELAY + chance * (most - MIN_DELAY)


def reason_of(error: Exception) -> str:
    """Return nginx's status if it refused the upgrade, or the type of the error."""
    status = _STATUS.match(str(error))
    return f"status {status[1]}" if status else type(error).__name__


async def main() -> None:
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    crowd = Crowd(msgspec.json.decode(await reader.readline(), type=CrowdOrder))
    running = asyncio.create_task(crowd.run())
    while await reader.readline() and not running.done():
        print(msgspec.json.encode(crowd.report()).decode(), flush=True)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


if __name__ == "__main__":
    uvloop.run(main())
