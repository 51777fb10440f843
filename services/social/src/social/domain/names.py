"""Search in display names: by a substring, or by the initial consonants (초성) of consecutive syllables.

김민지 has the initials ㄱㅁㅈ. A double consonant (ㄲ) is one initial. A cluster (ㄳ), which a keyboard makes of two
consonants typed one after the other, is two.
"""

import unicodedata
from collections.abc import Callable

from shared.text import normalised

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_FIRST_SYLLABLE, _LAST_SYLLABLE, _PER_INITIAL = "가", "힣", 21 * 28
"""The order of syllables is by initial, vowel, final (The Unicode Standard, section 3.12)."""
_CLUSTERS = {
    "ㄳ": "ㄱㅅ", "ㄵ": "ㄴㅈ", "ㄶ": "ㄴㅎ", "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ",
    "ㄽ": "ㄹㅅ", "ㄾ": "ㄹㅌ", "ㄿ": "ㄹㅍ", "ㅀ": "ㄹㅎ", "ㅄ": "ㅂㅅ",
}  # fmt: skip
_CONSONANTS = {
    normalised(jamo): initials for jamo, initials in [*zip(_INITIALS, _INITIALS, strict=True), *_CLUSTERS.items()]
}
"""Keys are conjoining jamo: NFKC converts compatibility and half-width jamo to these."""


def initials_of(name: str) -> str:
    """Return the initials of syllables; other characters are normalised, spaces are removed."""
    return "".join(map(_initial, _without_spaces(name)))


def typed_initials(typed: str) -> str | None:
    """Return the typed initials, or None if the text contains anything else."""
    chars = _without_spaces(typed)
    return initials_of(chars) if chars and all(normalised(char) in _CONSONANTS for char in chars) else None


def name_matcher(typed: str) -> Callable[[str], bool]:
    """Return a predicate for names: it looks for typed initials, or else for a substring."""
    if (initials := typed_initials(typed)) is not None:
        return lambda name: initials in initials_of(name)
    text = normalised(typed)
    return lambda name: text in normalised(name)


def _without_spaces(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text).split())


def _initial(char: str) -> str:
    if _FIRST_SYLLABLE <= char <= _LAST_SYLLABLE:
        return _INITIALS[(ord(char) - ord(_FIRST_SYLLABLE)) // _PER_INITIAL]
    same = normalised(char)
    return _CONSONANTS.get(same, same)
