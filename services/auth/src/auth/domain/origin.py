"""The rule for the `Origin` and `Sec-Fetch-Site` headers of browsers. Programs send neither and pass."""

from collections.abc import Collection
from functools import lru_cache
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


@lru_cache(maxsize=1024)
def _normal(origin: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port; None for `null` and malformed origins."""
    try:
        url = urlsplit(origin.strip().lower())
        port = url.port
    except ValueError:
        return None
    if url.scheme not in _DEFAULT_PORTS or not url.hostname or url.path or url.query or "@" in url.netloc:
        return None
    return url.scheme, url.hostname, port or _DEFAULT_PORTS[url.scheme]


def is_allowed_origin(origin: str | None, fetch_site: str | None, own: str, listed: Collection[str]) -> bool:
    """Check a request to the origin `own`. `listed` are the other allowed origins."""
    if origin is not None:
        known = _normal(origin)
        return known is not None and known in {_normal(own), *map(_normal, listed)}
    return fetch_site in {None, "same-origin", "none"}
