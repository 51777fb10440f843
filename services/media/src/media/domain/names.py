"""File names as people may see and save them: any script, no path, nothing that cannot be seen."""

import unicodedata
from urllib.parse import quote

MAX_NAME = 255
NAMELESS = "file"
_REFUSED = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Controls of writing direction: they make `gpj.exe` look like `exe.jpg`."""
_UNQUOTED = "!#$&+-.^_`|~"


def clean_name(raw: str) -> str:
    """What is left of a file's name: its last part, in NFC, at most 255 characters with the ending kept."""
    last = unicodedata.normalize("NFC", raw).replace("\\", "/").rpartition("/")[2]
    seen = "".join(char for char in last if unicodedata.category(char) not in _REFUSED and char not in _DIRECTION)
    name = " ".join(seen.split()).strip(". ") if seen.strip(". ") else ""
    return _shortened(name) or NAMELESS


def _shortened(name: str) -> str:
    if len(name) <= MAX_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending) > 16:
        return name[:MAX_NAME].rstrip()
    return stem[: MAX_NAME - len(ending) - 1].rstrip() + dot + ending


def disposition(filename: str, *, inline: bool) -> str:
    """The `Content-Disposition` of RFC 6266: a name in ASCII for old programs, the whole one beside it."""
    plain = "".join(char if char.isascii() and char not in '"\\%' else "_" for char in filename)
    how = "inline" if inline else "attachment"
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe=_UNQUOTED)}"
