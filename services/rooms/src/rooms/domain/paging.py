"""Computes the range of seqs of a page. The messages of a room are numbered without gaps, so no query is needed."""

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import msgspec

from rooms.domain.errors import invalid
from rooms.domain.validation import check_seq
from shared.contracts.limits import MAX_INTEGER, MAX_PAGE
from shared.contracts.rooms import PageChoice

M = TypeVar("M", bound=msgspec.Struct)


class Window(msgspec.Struct):
    """The seqs `first` … `last` (none if first > last). A page that is too large keeps those nearest to `anchor`."""

    first: int
    last: int
    anchor: int
    has_more: bool


class Before(msgspec.Struct, frozen=True):
    seq: int


class After(msgspec.Struct, frozen=True):
    seq: int


class Around(msgspec.Struct, frozen=True):
    seq: int


class At(msgspec.Struct, frozen=True):
    """The messages from a time on, in milliseconds."""

    time: int


class Offset(msgspec.Struct, frozen=True):
    """Skips this many of the newest messages; 0 is the newest page."""

    count: int


PageAnchor: TypeAlias = Before | After | Around | At | Offset
_ANCHORS: dict[str, type[PageAnchor]] = {
    "before": Before, "after": After, "around": Around, "at": At, "offset": Offset,
}  # fmt: skip


def anchor_of(choice: PageChoice) -> PageAnchor:
    """Return what selects the page. Raises DomainError for more than one choice, or an integer that is out of range."""
    chosen = {name: value for name in _ANCHORS if (value := getattr(choice, name)) is not None} or {"offset": 0}
    if len(chosen) > 1:
        raise invalid("Give at most one of before, after, around, at, offset.")
    if not 1 <= choice.limit <= MAX_PAGE:
        raise invalid(f"limit: 1 to {MAX_PAGE}.")
    [(name, value)] = chosen.items()
    check_seq(name, value, least=0 if name == "offset" else 1)
    return _ANCHORS[name](value)


def window_of(anchor: PageAnchor, limit: int, floor: int, head: int, first_at: int | None = None) -> Window:
    """Return the page of a member who sees `floor` + 1 … `head`.

    `first_at` is the seq of the first message at or after the requested time.
    """
    match anchor:
        case Before(seq):
            return _downward(min(seq - 1, head), floor, limit)
        case After(seq):
            return _upward(max(seq, floor) + 1, head, limit)
        case Around(seq):
            middle = min(max(seq, floor + 1), head)
            first, last = max(middle - limit // 2, floor + 1), min(middle - limit // 2 + limit - 1, head)
            return Window(first, last, middle, first > floor + 1 or last < head)
        case At():
            return _upward(MAX_INTEGER if first_at is None else max(first_at, floor + 1), head, limit)
        case Offset(count):
            return _downward(head - count, floor, limit)


def _downward(last: int, floor: int, limit: int) -> Window:
    first = max(last - limit + 1, floor + 1)
    return Window(first, last, last, first > floor + 1)


def _upward(first: int, head: int, limit: int) -> Window:
    last = min(first + limit - 1, head)
    return Window(first, last, first, last < head)


def nearest(items: Sequence[M], sizes: Sequence[int], anchor: int, budget: int) -> list[M]:
    """Return the items nearest to the seq `anchor` that fit into `budget`, in the given order, but at least one."""
    if sum(sizes) <= budget:
        return list(items)
    by_distance = sorted(range(len(items)), key=lambda index: abs(items[index].seq - anchor))  # type: ignore[attr-defined]
    kept: list[int] = []
    for index in by_distance:
        budget -= sizes[index]
        if budget < 0 and kept:
            break
        kept.append(index)
    return [items[index] for index in sorted(kept)]
