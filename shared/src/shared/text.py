"""Text that a person typed: a name, a title, a status are one line that everyone can read; searches compare folded."""

import unicodedata

_REFUSED = {"Cc", "Cs", "Co", "Zl", "Zp"}
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Controls of writing direction: they make one name look like another."""


def one_line(text: str) -> str:
    """`text` trimmed and in NFC; raises ValueError where it holds what cannot be seen or breaks the line."""
    line = unicodedata.normalize("NFC", text).strip()
    if any(unicodedata.category(char) in _REFUSED or char in _DIRECTION for char in line):
        raise ValueError("has characters that cannot be shown")
    if line and all(unicodedata.category(char) in {"Cf", "Mn", "Me", "Zs"} for char in line):
        raise ValueError("has nothing to be seen")
    return line


def normalised(text: str) -> str:
    """`text` as searches compare it: width, case and ways of composing folded (NFKC, casefold)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
