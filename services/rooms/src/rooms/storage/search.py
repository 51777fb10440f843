"""The statements of a search: what remains to be scanned in each room of a user, and the matches in chosen slices.

Both use the key (room_id, seq) on every engine. MySQL cannot take the range of an index from another table of the same
statement, so a binary search over the key finds the last message of a room before a time.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    union_all,
)

from rooms.domain.search import ScanRange, SearchCursor, Slice, sample_distances
from rooms.domain.state import StoredMessage
from rooms.storage.messages import COLUMNS
from rooms.storage.tables import member, message, room
from shared.database.engine import Db

SLICES_PER_SELECT = 400
"""SQLite accepts 1,000 alternatives in one expression, and 500 SELECTs in one statement."""

_at, _room_id, _seq = (bindparam(name, type_=message.c[name].type) for name in ("at", "room_id", "seq"))
_is_after_cursor = or_(
    message.c.at < _at,
    and_(message.c.at == _at, message.c.room_id > _room_id),
    and_(message.c.at == _at, message.c.room_id == _room_id, message.c.seq < _seq),
)


def _binary_search(only: ColumnElement[bool] | None) -> CTE:
    """Halve `low` … `high` of each room until both are its newest message after the cursor, or `floor` if none is."""
    begin = (
        select(
            member.c.room_id,
            member.c.joined_seq.label("floor"),
            case((room.c.updated_at < _at, room.c.head_seq), else_=member.c.joined_seq).label("low"),
            room.c.head_seq.label("high"),
        )
        .join(room, room.c.id == member.c.room_id)
        .where(member.c.user_id == bindparam("user_id"), member.c.left_version.is_(None))
    )
    half = (begin if only is None else begin.where(only)).cte("half", recursive=True)
    halved = (
        select(
            half.c.room_id,
            half.c.floor,
            case((_is_after_cursor, message.c.seq), else_=half.c.low),
            case((_is_after_cursor, half.c.high), else_=message.c.seq - 1),
        )
        .join(message, _is_at(half, (half.c.low + half.c.high + 1).bitwise_rshift(1)))
        .where(half.c.low < half.c.high)
    )
    return half.union_all(halved)


def _is_at(half: CTE, seq: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(message.c.room_id == half.c.room_id, message.c.seq == seq)


def _distances(budget: int) -> Subquery:
    distances = sample_distances(budget)
    return union_all(*(select(literal_column(str(one)).label("distance")) for one in distances)).subquery("distances")


@lru_cache(maxsize=8)
def _scan_ranges(budget: int, *, in_one: bool) -> Select[Any]:
    half = _binary_search(member.c.room_id == bindparam("in_room") if in_one else None)
    distances = _distances(budget)
    return (
        select(half.c.room_id, half.c.floor, half.c.low, distances.c.distance, message.c.at)
        .select_from(half)
        .join(distances, half.c.low - distances.c.distance > half.c.floor)
        .join(message, _is_at(half, half.c.low - distances.c.distance))
        .where(half.c.low == half.c.high)
        .order_by(half.c.room_id, distances.c.distance)
        .prefix_with("STRAIGHT_JOIN", dialect="mysql")  # with very many rooms MySQL would scan a large one completely
    )


async def list_scan_ranges(
    db: Db, user_id: str, room_id: str | None, after: SearchCursor, budget: int
) -> list[ScanRange]:
    """Return what remains after the cursor in all rooms of the user, including hidden ones, or in one of them."""
    values = {"user_id": user_id, **after._asdict()} | ({"in_room": room_id} if room_id else {})
    rows = await db.execute(_scan_ranges(budget, in_one=room_id is not None), values)
    return [
        ScanRange(*key, [(row[3], row[4]) for row in of_room])
        for key, of_room in groupby(rows, key=lambda row: (row[0], row[1], row[2]))
    ]


async def find_in_slices(db: Db, slices: Sequence[Slice], query: str, limit: int) -> list[StoredMessage]:
    """Return the messages in the slices whose text contains `query`, in the order of the results."""
    if not slices:
        return []
    starts = range(0, len(slices), SLICES_PER_SELECT)
    branches = [_matches(slices[start : start + SLICES_PER_SELECT], query) for start in starts]
    found = union_all(*branches).subquery() if len(branches) > 1 else branches[0].subquery()
    ordered = select(found).order_by(found.c.at.desc(), found.c.room_id, found.c.seq.desc()).limit(limit)
    return [StoredMessage(*row) for row in await db.execute(ordered)]


def _matches(slices: Sequence[Slice], query: str) -> Select[Any]:
    """Select matches with INSTR, which compares byte by byte like the column, so that `query` is never a pattern.

    Without the hint, MySQL may scan a complete room by time, expecting to find enough matches early.
    """
    within = [and_(message.c.room_id == one.room_id, message.c.seq.between(one.first, one.last)) for one in slices]
    found = select(*COLUMNS).with_hint(message, "FORCE INDEX (PRIMARY)", "mysql")
    return found.where(or_(*within), func.instr(message.c.search_text, query) > 0)
