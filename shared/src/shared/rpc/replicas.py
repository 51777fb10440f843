"""Addresses of the replicas behind a service's name, for monitoring each of them. Calls use the name."""

import asyncio
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

LOOKUP_S = 2.0


async def list_replicas(urls: Iterable[str], most: int) -> list[str]:
    """Return `host:port` of every address behind these URLs, sorted, at most `most`. An unknown name has none."""
    found = await asyncio.gather(*map(_addresses, urls))
    return sorted({address for addresses in found for address in addresses})[:most]


async def _addresses(url: str) -> list[str]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOKUP_S):
            found = await loop.getaddrinfo(parts.hostname, port, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return []
    return [f"{address[0]!s}:{port}" for *_, address in found]
