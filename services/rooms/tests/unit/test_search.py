"""Searching is a merge of rooms: checked against the obvious reading of one sorted list."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms.domain.search import MAX_SEARCHED, Reach, SearchCursor, query_of, search_text, slices_of, steps_of
from shared.errors import DomainError
from shared.ids import new_id
from shared.text import normalised

ROOMS = sorted(new_id() for _ in range(6))
times = st.lists(st.integers(1, 30), max_size=25).map(sorted)


@given(st.lists(st.tuples(times, st.integers(0, 3)), max_size=6), st.integers(1, 30))
def test_slices_are_the_newest_that_may_be_looked_at(rooms: list[tuple[list[int], int]], budget: int) -> None:
    """Message n of a room has the n-th of its times; those up to `above` are not seen."""
    reaches, everything = [], set()
    for room_id, (of_room, above) in zip(ROOMS, rooms, strict=False):
        top = len(of_room)
        samples = [(step, of_room[top - step - 1]) for step in steps_of(budget) if top - step > above]
        reaches.append(Reach(room_id, above, top, samples))
        everything |= {SearchCursor(at, room_id, seq) for seq, at in enumerate(of_room, 1) if seq > above}
    slices, end = slices_of(reaches, budget)
    looked_at = {
        place
        for place in everything
        for one in slices
        if place.room_id == one.room_id and one.first <= place.seq <= one.last
    }
    assert len(looked_at) == sum(one.last - one.first + 1 for one in slices) <= budget
    complete = {place for place in everything if end is None or place.order <= end.order}
    assert complete <= looked_at
    assert bool(complete) == bool(everything)
    assert len(complete) >= len(looked_at) / 2
    if end is None:
        assert looked_at == everything


@given(st.integers(1, 100_000))
def test_steps_rise_to_the_budget(budget: int) -> None:
    steps = steps_of(budget)
    assert steps == sorted(set(steps))
    assert (steps[0], steps[1], steps[-1]) == (0, 1, budget)
    assert all(further <= 2 * step for step, further in pairwise(steps[1:]))


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
def test_what_is_the_same(written: str, typed: str) -> None:
    assert query_of(typed) in normalised(written)


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize("typed", ["", "a", " a ", "\u3000a", "a" * 101, "ab\x00", "ab\ud800", "\ufdfa" * 6])
def test_queries_that_are_none(typed: str) -> None:
    with pytest.raises(DomainError, match="q: 2 to 100"):
        query_of(typed)


def test_what_is_kept_to_search_is_bounded() -> None:
    assert len(search_text("\ufdfa" * 4000) or "") == MAX_SEARCHED
    assert search_text("") is None
