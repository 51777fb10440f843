"""Validation of one-line texts (names, titles, statuses), and the form in which searches compare texts."""

import unicodedata

_REJECTED = {"Cc", "Cs", "Co", "Zl", "Zp"}
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional controls: they make one name look like another."""


def one_line(text: str) -> str:
    """Return `text` trimmed and in NFC; raises ValueError for control characters, line breaks and invisible texts."""
    line = unicodedata.normalize("NFC", text).strip()
    if any(unicodedata.category(char) in _REJECTED or char in _DIRECTION for char in line):
        raise ValueError("has characters that cannot be displayed")
    if line and all(unicodedata.category(char) in {"Cf", "Mn", "Me", "Zs"} for char in line):
        raise ValueError("has no visible characters")
    return line


def normalised(text: str) -> str:
    """Return `text` as searches compare it: NFKC and case-folded."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
