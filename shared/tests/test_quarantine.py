"""The list of flaky tests: what it covers, and when an entry is too old."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from shared.testing.quarantine import Entry, load_quarantine

FLAKY = "def test_flaky():\n    assert False\n"


def test_an_entry_covers_a_test_with_all_its_parameters():
    entry = Entry("a/test_b.py::test_c", date(2026, 11, 1), "unknown")
    assert entry.covers("a/test_b.py::test_c")
    assert entry.covers("a/test_b.py::test_c[1-x]@a/test_b.py")
    assert not entry.covers("a/test_b.py::test_cd")


def test_an_entry_is_overdue_after_two_weeks():
    entry = Entry("a", date(2026, 11, 1), "unknown")
    assert not entry.is_overdue(date(2026, 11, 15))
    assert entry.is_overdue(date(2026, 11, 16))


def test_a_missing_file_has_no_entries(tmp_path: Path):
    assert load_quarantine(tmp_path / "quarantine.toml") == []


@pytest.mark.parametrize(("days", "status", "words"), [(1, 0, "1 xfailed"), (15, 4, "in quarantine for more than 14")])
def test_a_listed_test_fails_nothing_until_it_is_overdue(tmp_path: Path, days: int, status: int, words: str):
    since = (datetime.now(UTC) - timedelta(days=days)).date()
    (tmp_path / "test_it.py").write_text(FLAKY)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "quarantine.toml").write_text(
        f'[[quarantined]]\ntest = "test_it.py::test_flaky"\nsince = {since}\nreason = "unknown"\n'
    )
    command = [sys.executable, "-P", "-m", "pytest", "-p", "shared.testing.plugin", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert words in done.stdout + done.stderr
