"""Which gateways there are, asked of themselves: an address each, and the process that lives there now.

A handshake at the public address asks for one of them by the process's id.
"""

import asyncio
import logging

import aiohttp
import msgspec

from canary.meter import UNKNOWN
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
        """Those of all that the name leads to, living or not."""
        return list(self._instances)

    @property
    def living(self) -> set[str]:
        return {address for address, instance in self._instances.items() if instance}

    async def look(self) -> list[str]:
        """Ask anew; returns the addresses that are gone. A name that leads nowhere changes nothing."""
        addresses = await list_replicas(self._urls, self._most)
        if not addresses:
            return []
        gone = [address for address in self._instances if address not in addresses]
        instances = await asyncio.gather(*map(self._ask, addresses))
        self._instances = dict(zip(addresses, instances, strict=True))
        return gone

    def choose(self, home: str) -> tuple[str, str]:
        """Address and process of the gateway to connect to: that at `home`, else one that lives, else any."""
        address = home if home in self.living else min(self.living, default=UNKNOWN)
        return address, self._instances.get(address, "")

    async def _ask(self, address: str) -> str:
        try:
            async with self._http.get(f"http://{address}/healthz", timeout=ASK_S) as response:
                return msgspec.json.decode(await response.read(), type=_Health).instance
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            log.info("the gateway at %s does not answer: %r", address, error)
            return ""
