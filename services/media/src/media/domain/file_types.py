"""Detection of file types by content, never by name or by the sender's claim."""

import puremagic

HEAD = 8 * 1024
"""Number of leading bytes that are inspected."""

UNKNOWN = "application/octet-stream"
PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp", "image/tiff", "image/avif"})
"""Types that are decoded and encoded again, without metadata."""
UNREADABLE_PICTURES = frozenset({"image/heic", "image/heif"})
"""Types that are rejected, because their metadata (location, camera) cannot be removed."""
INLINE = frozenset(
    {
        "image/jpeg", "image/png", "image/gif", "image/webp",
        "video/mp4", "video/webm", "video/quicktime",
        "audio/mpeg", "audio/mp4", "audio/wav", "audio/flac", "application/ogg",
    }
)  # fmt: skip
"""Types that a browser may display inline: they cannot contain scripts."""
ACTIVE = frozenset({"text/html", "image/svg+xml", "application/xml", "application/xhtml+xml"})
"""Types that can contain scripts. They are served as application/octet-stream, as a download."""

_ALIASES = {
    "image/x-ms-bmp": "image/bmp", "audio/wave": "audio/wav", "audio/x-wav": "audio/wav",
    "application/x-gzip": "application/gzip",
}  # fmt: skip
_OFFICE = {
    b"word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    b"xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    b"ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_KNOWN = PICTURES | UNREADABLE_PICTURES | INLINE | {"application/pdf", "application/gzip"}


def type_of(head: bytes) -> str:
    """Return the MIME type of a file with these leading bytes."""
    if head.startswith(b"PK\x03\x04"):
        return _of_archive(head)
    found = [_ALIASES.get(mime, mime) for mime in _signatures(head)]
    if known := [mime for mime in found if mime in _KNOWN]:
        return known[0]
    if _is_text(head):
        return _of_text(head)
    return next((mime for mime in found if mime.isascii() and mime not in ACTIVE and len(mime) <= 100), UNKNOWN)


def _signatures(head: bytes) -> list[str]:
    """Return the types that the library detects, the most likely first."""
    try:
        return [match.mime_type for match in puremagic.magic_string(head) if "/" in match.mime_type]
    except (puremagic.PureError, ValueError):
        return []


def _of_archive(head: bytes) -> str:
    if b"[Content_Types].xml" in head:
        for folder, mime in _OFFICE.items():
            if folder in head:
                return mime
    return "application/zip"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if len(head) < HEAD or error.start < len(head) - 3:  # more than a character that is cut at the end
            return False
        text = head[: error.start].decode()
    return not any(ord(char) < 32 and char not in "\t\n\r\f\x1b" for char in text)


def _of_text(head: bytes) -> str:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not start.startswith(b"<"):
        return "text/plain"
    if b"<svg" in start:
        return "image/svg+xml"
    markers = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<iframe", b"<img", b"<a ")
    return "text/html" if any(marker in start for marker in markers) else "application/xml"


def display_type(content_type: str) -> tuple[str, bool]:
    """Return the type to serve a file with, and whether a browser may display it inline."""
    return (UNKNOWN if content_type in ACTIVE else content_type), content_type in INLINE
