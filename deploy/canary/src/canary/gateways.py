"""The gateways, discovered by name: the address of each, and the instance ID of the process running there.

A handshake at the public address selects a gateway by its instance ID.
"""

import asyncio
import logging

import aiohttp
import msgspec

from canary.metrics import UNKNOWN
from shared.rpc.replicas import list_replicas

log = logging.getLogger(__name__)

ASK_S = aiohttp.ClientTimeout(total=2)


class _Health(msgspec.Struct):
    instance: str


class Gateways:
    def __init__(self, http: aiohttp.ClientSession, urls: list[str], most: int) -> None:
        self._http, self._urls, self._most = http, urls, most
        self._instances: dict[str, str] = {}

    @property
    def addresses(self) -> list[str]:
        """All addresses to which the name resolves, with or without a live process."""
        return list(self._instances)

    @property
    def alive(self) -> set[str]:
        return {address for address, instance in self._instances.items() if instance}

    async def refresh(self) -> list[str]:
        """Resolve and poll again. Returns the addresses that are gone. A name that does not resolve changes nothing."""
        addresses = await list_replicas(self._urls, self._most)
        if not addresses:
            return []
        gone = [address for address in self._instances if address not in addresses]
        instances = await asyncio.gather(*map(self._ask, addresses))
        self._instances = dict(zip(addresses, instances, strict=True))
        return gone

    def choose(self, assigned: str) -> tuple[str, str]:
        """Return address and instance ID of the gateway to connect to: `assigned`, else a live one, else any."""
        address = assigned if assigned in self.alive else min(self.alive, default=UNKNOWN)
        return address, self._instances.get(address, "")

    async def _ask(self, address: str) -> str:
        try:
            async with self._http.get(f"http://{address}/healthz", timeout=ASK_S) as response:
                return msgspec.json.decode(await response.read(), type=_Health).instance
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            log.info("no answer from the gateway at %s: %r", address, error)
            return ""
