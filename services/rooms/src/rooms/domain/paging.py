"""Computes the range of seqs of a page. The messages of a room are numbered without gaps, so no query is needed."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from rooms.domain.errors import invalid
from rooms.domain.validation import check_seq
from shared.contracts.rooms import MAX_INTEGER, MAX_PAGE, PageChoice

M = TypeVar("M", bound=msgspec.Struct)


class Window(msgspec.Struct):
    """The seqs `first` … `last` (none if first > last). A page that is too large keeps those nearest to `anchor`."""

    first: int
    last: int
    anchor: int
    has_more: bool


def check_choice(choice: PageChoice) -> None:
    """Raise DomainError for more than one choice, or for an integer that is out of range."""
    chosen = {name: getattr(choice, name) for name in ("before", "after", "around", "at", "offset")}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if len(chosen) > 1:
        raise invalid("Give at most one of before, after, around, at, offset.")
    for name, value in chosen.items():
        check_seq(name, value, least=0 if name == "offset" else 1)
    if not 1 <= choice.limit <= MAX_PAGE:
        raise invalid(f"limit: 1 to {MAX_PAGE}.")


def window_of(choice: PageChoice, floor: int, head: int, first_at: int | None = None) -> Window:
    """Return the page of a member who sees `floor` + 1 … `head`.

    `first_at` is the seq of the first message at or after the requested time.
    """
    limit = choice.limit
    if choice.after is not None:
        return _upward(max(choice.after, floor) + 1, head, limit)
    if choice.at is not None:
        return _upward(MAX_INTEGER if first_at is None else max(first_at, floor + 1), head, limit)
    if choice.around is not None:
        middle = min(max(choice.around, floor + 1), head)
        first, last = max(middle - limit // 2, floor + 1), min(middle - limit // 2 + limit - 1, head)
        return Window(first, last, middle, first > floor + 1 or last < head)
    last = head - (choice.offset or 0) if choice.before is None else min(choice.before - 1, head)
    first = max(last - limit + 1, floor + 1)
    return Window(first, last, last, last > floor and first > floor + 1)


def _upward(first: int, head: int, limit: int) -> Window:
    last = min(first + limit - 1, head)
    return Window(first, last, first, last < head and first <= head)


def nearest(items: Sequence[M], sizes: Sequence[int], anchor: int, budget: int) -> list[M]:
    """Return the items nearest to the seq `anchor` that fit into `budget`, in the given order, but at least one."""
    by_distance = sorted(range(len(items)), key=lambda index: abs(items[index].seq - anchor))  # type: ignore[attr-defined]
    kept: list[int] = []
    for index in by_distance:
        budget -= sizes[index]
        if budget < 0 and kept:
            break
        kept.append(index)
    return [items[index] for index in sorted(kept)]
