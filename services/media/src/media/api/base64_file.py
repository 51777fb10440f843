"""A file as base64 in JSON: its size is judged before it is decoded, and it is decoded beside the event loop."""

import asyncio
import base64
import binascii

from media.service.spool import Spool
from shared.errors import Invalid, TooLarge

AROUND = 16 * 1024
"""What a body may have beside its data."""


def max_body(decoded: int) -> int:
    """Of a body whose data has `decoded` bytes."""
    return (decoded + 2) // 3 * 4 + AROUND


async def decode_into(spool: Spool, data: str, limit: int) -> None:
    """Raises TooLarge beyond `limit` bytes decoded, Invalid for what is not base64 (RFC 4648, section 4)."""
    if len(data) // 4 * 3 - data[-2:].count("=") > limit:
        raise TooLarge(f"A file in JSON has at most {limit} bytes: send a form.", errors={"data": "is too large"})
    try:
        decoded = await asyncio.to_thread(base64.b64decode, data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("Some fields are not acceptable.", errors={"data": "must be base64"}) from error
    await spool.write(decoded)
