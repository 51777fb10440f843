"""Filenames that are safe to display and to save: any script, no path, no invisible characters."""

import unicodedata
from urllib.parse import quote

MAX_NAME = 255
NAMELESS = "file"
_REMOVED = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional controls: they make `gpj.exe` look like `exe.jpg`."""
_UNQUOTED = "!#$&+-.^_`|~"


def clean_name(raw: str) -> str:
    """Return the last component of the name in NFC, at most 255 characters. Shortening keeps the extension."""
    last = unicodedata.normalize("NFC", raw).replace("\\", "/").rpartition("/")[2]
    visible = "".join(char for char in last if unicodedata.category(char) not in _REMOVED and char not in _DIRECTION)
    name = " ".join(visible.split()).strip(". ") if visible.strip(". ") else ""
    return _shortened(name) or NAMELESS


def _shortened(name: str) -> str:
    if len(name) <= MAX_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending) > 16:
        return name[:MAX_NAME].rstrip()
    return stem[: MAX_NAME - len(ending) - 1].rstrip() + dot + ending


def disposition(filename: str, *, inline: bool) -> str:
    """Return a `Content-Disposition` (RFC 6266) with an ASCII fallback for old programs."""
    plain = "".join(char if char.isascii() and char not in '"\\%' else "_" for char in filename)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe=_UNQUOTED)}"
