"""Search for WebChat IDs by prefix, as a range of the index. An exact match comes first in it."""

import re

_PART_OF_ID = re.compile(r"[a-z0-9_.]{1,20}")


def prefix_range(typed: str) -> tuple[str, str] | None:
    """Return the half-open range of ids with this prefix, or None if no id can have it."""
    prefix = typed.lower()
    if _PART_OF_ID.fullmatch(prefix) is None:
        return None
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)
