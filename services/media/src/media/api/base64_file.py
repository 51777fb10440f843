"""A file as base64 in JSON. Its size is checked before it is decoded, which happens in a thread."""

import asyncio
import binascii

from media.service.spool import Spool
from shared.errors import Invalid, TooLarge

OVERHEAD = 16 * 1024
"""Bytes that a body may have in addition to its data."""


def max_body(decoded: int) -> int:
    """Return the size limit of a body whose data has at most `decoded` bytes."""
    return (decoded + 2) // 3 * 4 + OVERHEAD


async def decode_into(spool: Spool, data: str, limit: int) -> None:
    """Decode into the spool. Raises TooLarge above `limit` decoded bytes, Invalid for malformed base64 (RFC 4648)."""
    if len(data) // 4 * 3 - data[-2:].count("=") > limit:
        raise TooLarge(f"A file in JSON has at most {limit} bytes: send a form.", errors={"data": "is too large"})
    await spool.write(await asyncio.to_thread(_decode, data))


def _decode(data: str) -> bytes:
    unacceptable = Invalid("Some fields are not acceptable.", errors={"data": "must be base64"})
    if len(data) % 4:  # Python accepts padding that is not needed
        raise unacceptable
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except ValueError as error:
        raise unacceptable from error
