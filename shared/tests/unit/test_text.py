import pytest

from shared.text import one_line


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Anna  ", "Anna"),
        ("e\u0301", "\u00e9"),
        ("👩‍🚀 Sally", "👩‍🚀 Sally"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("  ", ""),
        ("", ""),
    ],
)
def test_readable_texts_are_kept(typed, kept):
    assert one_line(typed) == kept
    assert one_line(kept) == kept


@pytest.mark.parametrize("typed", ["a\nb", "a\tb", "a\x00", "a\u2028b", "\u202eanna", "a\u2066b", "\ud800", "\ue000"])
def test_control_characters_are_rejected(typed):
    with pytest.raises(ValueError, match="cannot be displayed"):
        one_line(typed)


@pytest.mark.parametrize("typed", ["\u200b", "\u200d\u200d", "\u0301", "\u00ad"])
def test_invisible_texts_are_rejected(typed):
    with pytest.raises(ValueError, match="no visible characters"):
        one_line(typed)
