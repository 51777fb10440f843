import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from social.domain.names import initials_of, name_matcher, typed_initials

SYLLABLES = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("김민지", "ㄱㅁㅈ"),
        ("김 민지", "ㄱㅁㅈ"),
        ("가까나다따라마바빠사싸아자짜차카타파힣", "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"),
        ("Minji 민지A", "minjiㅁㅈa"),
        ("ㅋㅋ 지수", "ㅋㅋㅈㅅ"),
        ("가ㄳ", "ㄱㄱㅅ"),
        ("ﾡﾢ", "ㄱㄲ"),
        (unicodedata.normalize("NFD", "김민지"), "ㄱㅁㅈ"),
        ("ＡＢ", "ab"),
        ("🐱 냥", "🐱ㄴ"),
        ("", ""),
    ],
)
def test_initials(name, initials):
    assert initials_of(name) == initials


@given(st.text(SYLLABLES, max_size=20))
def test_the_initial_is_the_first_jamo_of_the_decomposed_syllable(name):
    decomposed = [char for char in unicodedata.normalize("NFD", name) if "\u1100" <= char <= "\u1112"]
    assert initials_of(name) == initials_of("".join(decomposed)) == initials_of(unicodedata.normalize("NFD", name))
    assert len(initials_of(name)) == len(name)


@pytest.mark.parametrize(
    ("typed", "initials"),
    [
        ("ㅁㅈ", "ㅁㅈ"), (" ㅁ ㅈ", "ㅁㅈ"), ("ㄳ", "ㄱㅅ"), ("ㅄㅁ", "ㅂㅅㅁ"),
        ("ㄲㅅ", "ㄲㅅ"), ("\u1106\u110c", "ㅁㅈ"), ("ﾱﾸ", "ㅁㅈ"),
        ("민지", None), ("ㅁ지", None), ("ㅁj", None), ("ㅏㅣ", None),
        ("ㅁㅏ", None), ("", None), ("  ", None), ("12", None),
    ],
)  # fmt: skip
def test_typed_initials(typed, initials):
    assert typed_initials(typed) == initials


@pytest.mark.parametrize(
    ("name", "typed", "is_found"),
    [
        ("김민지", "ㅁㅈ", True), ("김민지", "ㄱㅈ", False), ("김민지", "ㄱㅁㅈㅅ", False), ("A민B지", "ㅁㅈ", False),
        ("minji 김민지", "ㄱㅁ", True), ("까치", "ㄱㅊ", False), ("까치", "ㄲㅊ", True), ("김수", "ㄳ", True),
        ("김민지", "민지", True), ("김 민지", "김민", False), ("Jörg Ｂ", "JÖRG b", True), ("100%", "0%", True),
        ("1000", "0%", False), ("민지", "ㅁ지", False),
    ],
)  # fmt: skip
def test_matching_a_name(name, typed, is_found):
    assert name_matcher(typed)(name) == is_found
