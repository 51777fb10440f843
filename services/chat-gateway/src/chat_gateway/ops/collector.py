"""Asks every replica of every service how it is; however many look on, at most once in a while."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

import aiohttp
import msgspec

from chat_gateway.ops.figures import Figures, Replica, ServiceFigures, sum_up
from shared.rpc.client import Client
from shared.rpc.replicas import list_replicas

log = logging.getLogger(__name__)

FRESH_S = 1.8
"""Pages ask every two seconds."""
AT_ONCE = 16
MOST_REPLICAS = 16
TIMEOUT = aiohttp.ClientTimeout(total=2.5)
"""/readyz gives its own checks 1.5 s."""
LARGEST = 1024 * 1024
NO_ANSWER = (aiohttp.ClientError, TimeoutError)
HANGS = "/readyz"
"""Missing where a process lives, and what it needs does not answer in time."""


class _Readiness(msgspec.Struct):
    missing: list[str] = []
    degraded: list[str] = []


class Collector:
    """`services`: by name, the URLs behind which their replicas are."""

    def __init__(self, client: Client, services: Mapping[str, Sequence[str]]) -> None:
        self._client, self._services = client, services
        self._asking = asyncio.Semaphore(AT_ONCE)
        self._one = asyncio.Lock()
        self._kept, self._until = Figures(0, []), 0.0

    async def get(self) -> bytes:
        """The figures as JSON; at most `FRESH_S` old."""
        async with self._one:
            if time.monotonic() >= self._until:
                asked = (self._ask_service(name, urls) for name, urls in self._services.items())
                services = await asyncio.gather(*asked)
                self._kept = Figures(time.time(), list(services))
                self._until = time.monotonic() + FRESH_S
        return msgspec.json.encode(self._kept)

    async def _ask_service(self, name: str, urls: Sequence[str]) -> ServiceFigures:
        addresses = await list_replicas(urls, MOST_REPLICAS)
        answers = await asyncio.gather(*map(self._ask_replica, addresses))
        return sum_up(name, [replica for replica, _ in answers], [text for _, text in answers])

    async def _ask_replica(self, address: str) -> tuple[Replica, str]:
        async with self._asking:
            text, ready = await asyncio.gather(self._ask(address, "/metrics"), self._ask(address, "/readyz"))
        if ready is None:
            missing = [HANGS] if text else []
            return Replica(address, bool(text), missing), text or ""
        return Replica(address, up=True, missing=_missing_of(ready)), text or ""

    async def _ask(self, address: str, path: str) -> str | None:
        """What it answers, whatever the status; None where it does not."""
        try:
            async with self._client.get(f"http://{address}{path}", timeout=TIMEOUT) as response:
                return (await response.content.read(LARGEST)).decode(errors="replace")
        except NO_ANSWER as error:
            log.info("%s of %s does not answer: %r", path, address, error)
            return None


def _missing_of(answer: str) -> list[str]:
    try:
        ready = msgspec.json.decode(answer, type=_Readiness)
    except msgspec.DecodeError:
        return [HANGS]
    return ready.missing + ready.degraded
