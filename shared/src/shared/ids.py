"""Ids and times. Ids are UUIDv7, 16 bytes in tables and text elsewhere. Times are milliseconds, RFC 3339 in JSON."""

import re
import time
from datetime import UTC, datetime, timedelta

from uuid_utils import uuid7

ID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UUID = re.compile(ID_PATTERN)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id() -> str:
    """Return a new UUIDv7. Within a process, later ones sort after earlier ones."""
    return str(uuid7())


def is_id(text: str) -> bool:
    """Return whether `text` is an id in canonical, lower-case form."""
    return _UUID.fullmatch(text) is not None


def id_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


def id_text(raw: bytes) -> str:
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """Format a time, like `2026-11-24T07:42:44.123Z`."""
    seconds = datetime.fromtimestamp(ms // 1000, UTC).isoformat()  # a third of the time of strftime
    return f"{seconds[:19]}.{ms % 1000:03d}Z"


def parse_rfc3339(text: str) -> int:
    """Parse an RFC 3339 time into milliseconds; raises ValueError if it is malformed or has no zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    return (moment - _EPOCH) // timedelta(milliseconds=1)
