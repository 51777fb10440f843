"""Searching messages: what is left to look at in each of one's rooms, and the texts of chosen slices.

Both are led by the key (room_id, seq) on every engine. MySQL takes no range of an index from another table of the same
statement: so a room's last message before a time is found by halving, one row of the key at a time.
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

from rooms.domain.search import Reach, SearchCursor, Slice, steps_of
from rooms.domain.state import StoredMessage
from rooms.storage.messages import COLUMNS
from rooms.storage.tables import member, message, room
from shared.database.engine import Db

TERMS = 400
"""Slices a SELECT: SQLite takes 1,000 alternatives in one expression, and 500 SELECTs in one statement."""

_at, _room_id, _seq = (bindparam(name, type_=message.c[name].type) for name in ("at", "room_id", "seq"))
_is_behind = or_(
    message.c.at < _at,
    and_(message.c.at == _at, message.c.room_id > _room_id),
    and_(message.c.at == _at, message.c.room_id == _room_id, message.c.seq < _seq),
)


def _tops(only: ColumnElement[bool] | None) -> CTE:
    """Halves `low` … `high` of each room until both are its last message behind the place (`above`: there is none)."""
    begin = (
        select(
            member.c.room_id,
            member.c.joined_seq.label("above"),
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
            half.c.above,
            case((_is_behind, message.c.seq), else_=half.c.low),
            case((_is_behind, half.c.high), else_=message.c.seq - 1),
        )
        .join(message, _is_at(half, (half.c.low + half.c.high + 1).bitwise_rshift(1)))
        .where(half.c.low < half.c.high)
    )
    return half.union_all(halved)


def _is_at(half: CTE, seq: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(message.c.room_id == half.c.room_id, message.c.seq == seq)


def _steps(budget: int) -> Subquery:
    return union_all(*(select(literal_column(str(step)).label("step")) for step in steps_of(budget))).subquery("steps")


@lru_cache(maxsize=8)
def _reaches(budget: int, *, in_one: bool) -> Select[Any]:
    half = _tops(member.c.room_id == bindparam("in_room") if in_one else None)
    steps = _steps(budget)
    return (
        select(half.c.room_id, half.c.above, half.c.low, steps.c.step, message.c.at)
        .select_from(half)
        .join(steps, half.c.low - steps.c.step > half.c.above)
        .join(message, _is_at(half, half.c.low - steps.c.step))
        .where(half.c.low == half.c.high)
        .order_by(half.c.room_id, steps.c.step)
        .prefix_with("STRAIGHT_JOIN", dialect="mysql")  # among very many rooms it would read the whole of a large one
    )


async def list_reaches(db: Db, user_id: str, room_id: str | None, after: SearchCursor, budget: int) -> list[Reach]:
    """What lies behind a place in the rooms that the user is in, hidden ones included, or in one of them."""
    values = {"user_id": user_id, **after._asdict()} | ({"in_room": room_id} if room_id else {})
    rows = await db.execute(_reaches(budget, in_one=room_id is not None), values)
    return [
        Reach(*key, [(row[3], row[4]) for row in of_room])
        for key, of_room in groupby(rows, key=lambda row: (row[0], row[1], row[2]))
    ]


async def find_in(db: Db, slices: Sequence[Slice], query: str, limit: int) -> list[StoredMessage]:
    """The messages of the slices in whose text `query` is, in the order of the search."""
    if not slices:
        return []
    branches = [_found(slices[start : start + TERMS], query) for start in range(0, len(slices), TERMS)]
    found = union_all(*branches).subquery() if len(branches) > 1 else branches[0].subquery()
    ordered = select(found).order_by(found.c.at.desc(), found.c.room_id, found.c.seq.desc()).limit(limit)
    return [StoredMessage(*row) for row in await db.execute(ordered)]


def _found(slices: Sequence[Slice], query: str) -> Select[Any]:
    """INSTR compares as the column does, byte by byte: nothing in `query` is a pattern.

    Left to choose, MySQL goes through the whole of a room by time, in the hope of finding enough before its end.
    """
    within = [and_(message.c.room_id == one.room_id, message.c.seq.between(one.first, one.last)) for one in slices]
    found = select(*COLUMNS).with_hint(message, "FORCE INDEX (PRIMARY)", "mysql")
    return found.where(or_(*within), func.instr(message.c.search_text, query) > 0)
