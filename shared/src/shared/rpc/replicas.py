"""Which replicas answer to a service's name: a name leads to all of them, one address each.

For who watches them one by one; calls go to the name.
"""

import asyncio
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

LOOK_UP_S = 2.0


async def list_replicas(urls: Iterable[str], most: int) -> list[str]:
    """`host:port` of every address behind these URLs, sorted, at most so many; a name that leads nowhere has none."""
    found = await asyncio.gather(*map(_addresses, urls))
    return sorted({address for addresses in found for address in addresses})[:most]


async def _addresses(url: str) -> list[str]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOK_UP_S):
            found = await loop.getaddrinfo(parts.hostname, port, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return []
    return [f"{address[0]!s}:{port}" for *_, address in found]
