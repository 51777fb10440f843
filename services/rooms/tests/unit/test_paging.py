"""Computed pages equal slices of a list."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms.domain.paging import anchor_of, nearest, window_of
from shared.contracts.rooms import PageChoice
from shared.errors import DomainError

limits, seqs = st.integers(1, 12), st.integers(1, 25)


class Item(msgspec.Struct):
    seq: int


def page(choice: PageChoice, floor: int, head: int, first_at: int | None = None) -> tuple[list[int], bool]:
    window = window_of(anchor_of(choice), choice.limit, floor, head, first_at)
    return list(range(window.first, window.last + 1)), window.has_more


@given(st.integers(0, 20), st.integers(0, 20), limits, seqs)
def test_before_and_after(floor: int, more: int, limit: int, seq: int) -> None:
    seen = list(range(floor + 1, floor + more + 1))
    before, after = [one for one in seen if one < seq], [one for one in seen if one > seq]
    assert page(PageChoice(before=seq, limit=limit), floor, floor + more) == (before[-limit:], len(before) > limit)
    assert page(PageChoice(after=seq, limit=limit), floor, floor + more) == (after[:limit], len(after) > limit)
    assert page(PageChoice(limit=limit), floor, floor + more) == (seen[-limit:], more > limit)
    offset = seen[: max(0, more - seq)]
    assert page(PageChoice(offset=seq, limit=limit), floor, floor + more) == (offset[-limit:], len(offset) > limit)


@given(st.integers(0, 20), st.integers(1, 20), limits, seqs)
def test_around_and_at(floor: int, more: int, limit: int, seq: int) -> None:
    head = floor + more
    seen = range(floor + 1, head + 1)
    around, has_more = page(PageChoice(around=seq, limit=limit), floor, head)
    assert set(around) <= set(seen)
    assert len(around) <= limit
    assert (seq in around) == (seq in seen)
    assert has_more == (len(around) < more)
    from_there = [one for one in seen if one >= seq]
    first = from_there[0] if from_there else None
    assert page(PageChoice(at=1, limit=limit), floor, head, first) == (from_there[:limit], len(from_there) > limit)


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(0, 30), st.integers(-2, 15))
def test_nearest_items_are_consecutive_and_contain_the_anchor(sizes: list[int], budget: int, anchor: int) -> None:
    items = [Item(seq) for seq in range(len(sizes))]
    kept = [item.seq for item in nearest(items, sizes, anchor, budget)]
    assert kept == list(range(kept[0], kept[-1] + 1)) if kept else not items
    assert sum(sizes[seq] for seq in kept) <= budget or len(kept) == 1
    if 0 <= anchor < len(sizes):
        assert anchor in kept


@pytest.mark.parametrize(
    "choice",
    [
        {"before": 0}, {"after": 0}, {"around": -1}, {"at": 0}, {"offset": -1}, {"before": 2**53}, {"limit": 0},
        {"limit": 201}, {"before": 1, "after": 1}, {"offset": 0, "at": 5}, {"after": 2**80},
    ],
)  # fmt: skip
def test_invalid_choices_are_rejected(choice: dict[str, int]) -> None:
    with pytest.raises(DomainError) as raised:
        anchor_of(PageChoice(**choice))
    assert raised.value.code == "invalid"
