import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from media.domain.names import MAX_NAME, clean_name, disposition


@given(st.text(max_size=600))
def test_any_input_yields_a_safe_name(raw):
    name = clean_name(raw)
    assert 1 <= len(name) <= MAX_NAME
    assert not set(name) & set("/\\\x00\r\n\u202e\u2028")
    assert name == unicodedata.normalize("NFC", name).strip()
    assert clean_name(name) == name
    header = disposition(name, inline=False)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


def test_any_script_and_the_extension_are_kept():
    assert clean_name("회의록 2026.pdf") == "회의록 2026.pdf"
    assert clean_name("عربي.txt") == "عربي.txt"
    assert clean_name("x" * 400 + ".jpeg").endswith(".jpeg")
    assert disposition("é.txt", inline=True) == "inline; filename=\"_.txt\"; filename*=UTF-8''%C3%A9.txt"
