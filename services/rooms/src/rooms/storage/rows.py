"""Converts structs to the rows of an INSERT."""

from collections.abc import Iterable
from typing import Any

import msgspec


def rows_of(structs: Iterable[msgspec.Struct]) -> list[dict[str, Any]]:
    """Return the rows without columns that are None in all of them, because each value makes a statement slower."""
    rows = list(map(msgspec.structs.asdict, structs))
    unset = [name for name in rows[0] if all(row[name] is None for row in rows)] if rows else []
    for row in rows:
        for name in unset:
            del row[name]
    return rows
