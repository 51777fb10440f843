"""Flaky tests whose cause is not yet known: listed in a file, for at most two weeks.

They run, but their failure does not fail the run. An entry older than `DAYS` fails the whole run.
"""

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

DAYS = 14


@dataclass(frozen=True)
class Entry:
    """An entry; `test` is a node ID without parameters, such as `tests-e2e/test_talking.py::test_a_message_arrives`."""

    test: str
    since: date
    reason: str

    def covers(self, node_id: str) -> bool:
        return node_id.partition("@")[0].partition("[")[0] == self.test

    def is_overdue(self, today: date) -> bool:
        return today - self.since > timedelta(days=DAYS)


def load_quarantine(file: Path) -> list[Entry]:
    """Return the entries of a file. Raises TypeError for one without its three fields."""
    entries = tomllib.loads(file.read_text()).get("quarantined", []) if file.exists() else []
    return [Entry(**entry) for entry in entries]
