"""A search for WebChat IDs as a range of the index: whoever has exactly this id comes first, then longer ones."""

import re

_PART_OF_ID = re.compile(r"[a-z0-9_.]{1,20}")


def prefix_range(typed: str) -> tuple[str, str] | None:
    """From the first (inclusive) to the last (exclusive) id that begins so; None where no id can."""
    prefix = typed.lower()
    if _PART_OF_ID.fullmatch(prefix) is None:
        return None
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)
