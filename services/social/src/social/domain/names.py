"""Display names as they are searched: by a part of them, or by the initial consonants (초성) of their syllables.

김민지 has the initials ㄱㅁㅈ. A doubled consonant (ㄲ) is one of its own; a cluster (ㄳ), which a keyboard makes of
two typed one after the other, is the two.
"""

import unicodedata
from collections.abc import Callable

from shared.text import normalised

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_FIRST_SYLLABLE, _LAST_SYLLABLE, _PER_INITIAL = "가", "힣", 21 * 28
"""The Unicode Standard, 3.12: syllables are in the order of initial, vowel, final."""
_CLUSTERS = {
    "ㄳ": "ㄱㅅ", "ㄵ": "ㄴㅈ", "ㄶ": "ㄴㅎ", "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ",
    "ㄽ": "ㄹㅅ", "ㄾ": "ㄹㅌ", "ㄿ": "ㄹㅍ", "ㅀ": "ㄹㅎ", "ㅄ": "ㅂㅅ",
}  # fmt: skip
_CONSONANTS = {
    normalised(jamo): initials for jamo, initials in [*zip(_INITIALS, _INITIALS, strict=True), *_CLUSTERS.items()]
}
"""By the conjoining jamo, which NFKC makes of compatible and of half-width ones."""


def initials_of(name: str) -> str:
    """Of each syllable its initial; other characters as they are compared, without spaces."""
    return "".join(map(_initial, _without_spaces(name)))


def typed_initials(typed: str) -> str | None:
    """The initials that were typed; None where there is anything else."""
    chars = _without_spaces(typed)
    return initials_of(chars) if chars and all(normalised(char) in _CONSONANTS for char in chars) else None


def finder(typed: str) -> Callable[[str], bool]:
    """Whether a name has the initials in a row, where initials were typed; else whether it has the text in it."""
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
