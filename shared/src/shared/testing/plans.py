"""How MySQL finds what a service's storage asks for: plans, what they must not be, and the document that shows them.

`WRITE_PLANS=1` writes the document anew.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from shared.database.engine import Database
from shared.testing.statements import Recorder

FOLDER = Path(__file__).parents[4] / "docs" / "database"
BY_KEY = {"const", "eq_ref", "ref", "range", "system"}
"""Ways into a table that read what is asked for, and not the rest."""
_VALUES = re.compile(r"\((?:%s|\((?:%s, )*%s\))(?:, (?:%s|\((?:%s, )*%s\)))*\)")
_AGAIN = re.compile(r"(\S.*?)((?: OR | UNION ALL )\1)+")
_LONGEST = 1_000


class Access(NamedTuple):
    """A line of EXPLAIN without its estimates."""

    table: str
    type: str
    key: str
    key_len: str
    extra: str


Plans: TypeAlias = dict[tuple[str, str], list[Access]]
"""By function and statement: its accesses, those that differ between two of its runs among them."""
_NAMES = ("table", "type", "key", "key_len", "Extra")


async def explain(database: Database, recorder: Recorder) -> Plans:
    """What reads, changes or removes; an INSERT finds nothing."""
    plans: Plans = {}
    async with database.read() as db:
        for asked in recorder.asked:
            if asked.text.startswith("INSERT"):
                continue
            known = plans.setdefault((asked.function, _short(asked.text)), [])
            for row in await db.run_sync(_explain, asked.text, asked.values):
                access = Access(*(str(row[name] or "") for name in _NAMES))
                if access not in known and access.extra != "No tables used":
                    known.append(access)
    return plans


def _explain(connection: Any, statement: str, values: Any) -> list[Any]:
    result = connection.exec_driver_sql(f"EXPLAIN FORMAT=TRADITIONAL {statement}", values)
    return list(result.mappings())


def _short(statement: str) -> str:
    """Without line breaks, values, lists of columns and what is said several times."""
    line = _VALUES.sub("(…)", " ".join(statement.split())).replace("%s", "?")
    for select in reversed(list(re.finditer("SELECT ", line))):
        if end := _end_of_columns(line, select.end()):
            line = f"{line[: select.end()]}… {line[end:]}"
    return _AGAIN.sub(r"\1 …", line)


def _end_of_columns(line: str, start: int) -> int | None:
    """Where the FROM of the SELECT begins whose columns start there."""
    depth = 0
    for found in re.finditer(r"[()]|FROM ", line[start:]):
        if depth < 0:
            return None
        if found[0] == "FROM " and depth == 0:
            return start + found.start()
        depth += {"(": 1, ")": -1}.get(found[0], 0)
    return None


def check_plans(plans: Plans, *, one_row: Collection[str], sorted_by: Collection[str]) -> None:
    """Every table by a key, and sorted by none but the functions `sorted_by`."""
    assert plans
    for (function, statement), accesses in plans.items():
        assert any(access.table for access in accesses), (function, accesses, statement)
        for access in accesses:
            is_table = access.table and not _is_made(access.table, statement) and access.table not in one_row
            assert not is_table or (access.type in BY_KEY and access.key), (function, access, statement)
            assert "filesort" not in access.extra or function in sorted_by, (function, access, statement)


def _is_made(table: str, statement: str) -> bool:
    """By the statement itself."""
    return table.startswith("<") or f"WITH RECURSIVE {table}(" in statement


def check_document(service: str, plans: Plans) -> None:
    """docs/database/<service>.md says the same."""
    path, document = FOLDER / f"{service}.md", "\n".join(_document(service, plans))
    if os.environ.get("WRITE_PLANS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(document)
    assert path.read_text() == document


def _document(service: str, plans: Plans) -> list[str]:
    lines = [
        f"# How MySQL answers {service}\n",
        "Every statement of everyday use that looks for rows, by the function of the storage that makes it, and the",
        "way into each table (EXPLAIN, without its estimates). Written by `make plans`; a test on MySQL compares.\n",
    ]
    for (function, statement), accesses in sorted(plans.items()):
        lines += [
            f"## {function}\n",
            f"    {statement}\n",
            "| table | type | key | bytes of the key | |",
            "|---|---|---|---|---|",
        ]
        lines += [f"| {' | '.join(access)} |" for access in accesses]
        lines.append("")
    return lines
