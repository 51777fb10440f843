"""Polls `/metrics` and `/readyz` of every replica of every service. Results are cached for 1.8 s."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

import aiohttp
import msgspec

from ops.figures import Figures, Replica, ServiceFigures, summarize
from shared.rpc.client import Client
from shared.rpc.replicas import list_replicas

log = logging.getLogger(__name__)

CACHE_S = 1.8
"""Slightly less than the two seconds between the requests of a page."""
CONCURRENT_REQUESTS = 16
MAX_REPLICAS = 16
TIMEOUT = aiohttp.ClientTimeout(total=2.5)
"""More than the 1.5 s that /readyz gives its checks."""
MAX_BYTES = 1024 * 1024
NO_ANSWER = (aiohttp.ClientError, TimeoutError)
UNANSWERED = "/readyz"
"""Listed as missing if a process answers on /metrics, but not on /readyz."""


class _Readiness(msgspec.Struct):
    missing: list[str] = []
    degraded: list[str] = []


class Collector:
    """`services` maps names to the URLs of the services. A URL may have several replicas."""

    def __init__(self, client: Client, services: Mapping[str, Sequence[str]]) -> None:
        self._client, self._services = client, services
        self._requests = asyncio.Semaphore(CONCURRENT_REQUESTS)
        self._collecting = asyncio.Lock()
        self._cached, self._expiry = Figures(0, []), 0.0

    async def get(self) -> bytes:
        """Return the figures as JSON, at most `CACHE_S` old."""
        async with self._collecting:
            if time.monotonic() >= self._expiry:
                requests = (self._poll_service(name, urls) for name, urls in self._services.items())
                services = await asyncio.gather(*requests)
                self._cached = Figures(time.time(), list(services))
                self._expiry = time.monotonic() + CACHE_S
        return msgspec.json.encode(self._cached)

    async def _poll_service(self, name: str, urls: Sequence[str]) -> ServiceFigures:
        addresses = await list_replicas(urls, MAX_REPLICAS)
        answers = await asyncio.gather(*map(self._poll_replica, addresses))
        return summarize(name, [replica for replica, _ in answers], [text for _, text in answers])

    async def _poll_replica(self, address: str) -> tuple[Replica, str]:
        async with self._requests:
            text, ready = await asyncio.gather(self._get(address, "/metrics"), self._get(address, "/readyz"))
        if ready is None:
            missing = [UNANSWERED] if text else []
            return Replica(address, bool(text), missing), text or ""
        return Replica(address, up=True, missing=_missing_of(ready)), text or ""

    async def _get(self, address: str, path: str) -> str | None:
        """Return the body of the response, whatever its status. Returns None if there is no response."""
        try:
            async with self._client.get(f"http://{address}{path}", timeout=TIMEOUT) as response:
                return (await response.content.read(MAX_BYTES)).decode(errors="replace")
        except NO_ANSWER as error:
            log.info("%s of %s does not answer: %r", path, address, error)
            return None


def _missing_of(answer: str) -> list[str]:
    try:
        ready = msgspec.json.decode(answer, type=_Readiness)
    except msgspec.DecodeError:
        return [UNANSWERED]
    return ready.missing + ready.degraded
