"""Which bytes a request wants (RFC 9110, section 14): one range, or all."""

import re

_ONE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


class NoSuchRangeError(Exception):
    """416: nothing of the file lies there."""


def span_of(header: str | None, if_range: str | None, etag: str, size: int) -> tuple[int, int] | None:
    """First and last byte, or None for the whole file; several ranges, and what is no range, count as none."""
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
