"""Chosen slices are checked against one sorted list of all messages."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms.domain.search import (
    MAX_SEARCH_TEXT_CHARACTERS,
    ScanRange,
    SearchCursor,
    choose_slices,
    query_of,
    sample_distances,
    search_text,
)
from shared.errors import DomainError
from shared.ids import new_id
from shared.text import normalised

ROOMS = sorted(new_id() for _ in range(6))
times = st.lists(st.integers(1, 30), max_size=25).map(sorted)


@given(st.lists(st.tuples(times, st.integers(0, 3)), max_size=6), st.integers(1, 30))
def test_slices_contain_the_newest_messages_within_the_budget(rooms: list[tuple[list[int], int]], budget: int) -> None:
    """Message n of a room has the n-th timestamp. Messages up to `floor` are not visible."""
    ranges, everything = [], set()
    for room_id, (of_room, floor) in zip(ROOMS, rooms, strict=False):
        top = len(of_room)
        samples = [
            (distance, of_room[top - distance - 1]) for distance in sample_distances(budget) if top - distance > floor
        ]
        ranges.append(ScanRange(room_id, floor, top, samples))
        everything |= {SearchCursor(at, room_id, seq) for seq, at in enumerate(of_room, 1) if seq > floor}
    slices, end = choose_slices(ranges, budget)
    scanned = {
        cursor
        for cursor in everything
        for one in slices
        if cursor.room_id == one.room_id and one.first <= cursor.seq <= one.last
    }
    assert len(scanned) == sum(one.last - one.first + 1 for one in slices) <= budget
    complete = {cursor for cursor in everything if end is None or cursor.order <= end.order}
    assert complete <= scanned
    assert bool(complete) == bool(everything)
    assert len(complete) >= len(scanned) / 2
    if end is None:
        assert scanned == everything


@given(st.integers(1, 100_000))
def test_sample_distances_rise_to_the_budget(budget: int) -> None:
    distances = sample_distances(budget)
    assert distances == sorted(set(distances))
    assert (distances[0], distances[1], distances[-1]) == (0, 1, budget)
    assert all(further <= 2 * distance for distance, further in pairwise(distances[1:]))


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("ＡＢＣ", "abc"),
        ("ABC", "ａｂｃ"),
        ("STRASSE", "straße"),
        ("학교에서", "학교"),
        ("학교에서", "\u1112\u1161\u11a8\u1100\u116d"),
        ("ﾊﾝｶｸ", "ハンカク"),
        ("caf\u00e9", "CAFE\u0301"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("№ 5", "no 5"),
        ("밥 먹자 🍚👍🏽", "🍚👍🏽"),
    ],
)
def test_equivalent_texts_match(written: str, typed: str) -> None:
    assert query_of(typed) in normalised(written)


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize("typed", ["", "a", " a ", "\u3000a", "a" * 101, "ab\x00", "ab\ud800", "\ufdfa" * 6])
def test_invalid_queries_are_rejected(typed: str) -> None:
    with pytest.raises(DomainError, match="q: 2 to 100"):
        query_of(typed)


def test_search_text_is_bounded() -> None:
    assert len(search_text("\ufdfa" * 4000) or "") == MAX_SEARCH_TEXT_CHARACTERS
    assert search_text("") is None
