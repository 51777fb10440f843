"""The Origin rule: from which pages a browser may ask. A program sends neither header and passes."""

from collections.abc import Collection
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def _normal(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for `null` and whatever else is no origin."""
    try:
        url = urlsplit(origin.strip().lower())
        port = url.port
    except ValueError:
        return None
    if url.scheme not in _DEFAULT_PORTS or not url.hostname or url.path or url.query or "@" in url.netloc:
        return None
    return url.scheme, url.hostname, port or _DEFAULT_PORTS[url.scheme]


def can_come_from(origin: str | None, fetch_site: str | None, own: str, listed: Collection[str]) -> bool:
    """`own` is the scheme and host that were asked; `listed` the other origins that are let in."""
    if origin is not None:
        known = _normal(origin)
        return known is not None and known in {_normal(own), *map(_normal, listed)}
    return fetch_site in {None, "same-origin", "none"}
