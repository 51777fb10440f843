"""Range requests (RFC 9110, section 14) for a single range."""

import re

_ONE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


class NoSuchRangeError(Exception):
    """No byte of the file is in the range: status 416."""


def parse_range(header: str | None, if_range: str | None, etag: str, size: int) -> tuple[int, int] | None:
    """Return first and last byte, or None for the whole file. Several or malformed ranges are ignored."""
    if header is None or (if_range is not None and if_range != etag):
        return None
    match = _ONE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return _suffix(int(last), size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise NoSuchRangeError
    return int(first), min(int(last), size - 1) if last else size - 1


def _suffix(length: int, size: int) -> tuple[int, int]:
    if length == 0:
        raise NoSuchRangeError
    return max(size - length, 0), size - 1
