"""What is written, as the driver takes it."""

from collections.abc import Iterable
from typing import Any

import msgspec


def rows_of(structs: Iterable[msgspec.Struct]) -> list[dict[str, Any]]:
    """Columns in which nothing is set are left out: what a statement costs is the number of its values."""
    rows = list(map(msgspec.structs.asdict, structs))
    unset = [name for name in rows[0] if all(row[name] is None for row in rows)] if rows else []
    for row in rows:
        for name in unset:
            del row[name]
    return rows
