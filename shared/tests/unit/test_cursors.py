import base64

import pytest

from shared.errors import Invalid
from shared.ids import new_id
from shared.web.cursors import IdKey, TimeKey, cursor_of, read_cursor


def test_a_key_is_restored():
    key = (1_795_508_080_123, new_id())
    assert read_cursor(cursor_of(key), tuple[TimeKey, IdKey]) == key
    assert read_cursor(cursor_of("anna_1"), str) == "anna_1"


@pytest.mark.parametrize(
    "key", [[], [1], ["a", 1], [-1, "ID"], [2**63, "ID"], [1.5, "ID"], [1, "ID", 2], [1, "x"], {}, None]
)
def test_a_key_of_another_type_is_rejected(key):
    if isinstance(key, list):
        key = [new_id() if part == "ID" else part for part in key]
    with pytest.raises(Invalid):
        read_cursor(cursor_of(key), tuple[TimeKey, IdKey])


@pytest.mark.parametrize("cursor", ["", "x", "====", "ä", "\x00", "🦜", base64.urlsafe_b64encode(b"\xff\xfe").decode()])
def test_malformed_cursors_are_rejected(cursor):
    with pytest.raises(Invalid):
        read_cursor(cursor, str)


def test_an_id_with_a_line_break_is_rejected():
    with pytest.raises(Invalid):
        read_cursor(cursor_of(new_id() + "\n"), IdKey)
