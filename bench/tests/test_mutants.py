"""Planted bugs are counted as noticed, missed or equivalent."""

from functools import partial
from pathlib import Path

import pytest
from bench.mutants import outcome, python
from bench.mutants.__main__ import CHECKOUT, TARGETS
from bench.mutants.outcome import Equivalent, Mutant, load_equivalents, score

MODULE = '''\
"""Two limits. cosmic-ray treats files of less than two hundred bytes as empty, and mutates nothing in them."""


def is_too_long(length: int) -> bool:
    return length > 4_000


def is_too_wide(width: int) -> bool:
    return width > 10
'''
TESTS = """
from limits import is_too_long, is_too_wide


def test_the_longest() -> None:
    assert not is_too_long(4_000)


def test_wide() -> None:
    assert is_too_wide(11)
"""


def test_a_bug_counts_once() -> None:
    noticed = Mutant("a.py", 1, "x = 1", "core/NumberReplacer", noticed=True)
    missed = Mutant("a.py", 2, "y = 2", "core/NumberReplacer", noticed=False)
    harmless = Mutant("a.py", 3, "z = 3", "core/NumberReplacer", noticed=False)
    result = score(
        "a", [noticed, missed, harmless], [Equivalent("a.py", "z = 3", reason="never read", operator="core/Number")]
    )
    assert (result.noticed, result.missed, result.equivalent, result.share) == (1, [missed], 1, 0.5)


def test_an_entry_whose_line_is_gone_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tmp_path / "equivalent.toml"
    listed.write_text('[[equivalent]]\nfile = "a.py"\nline = "x = 1"\noperator = "core"\nreason = "never read"\n')
    monkeypatch.setattr(outcome, "EQUIVALENT", listed)
    (tmp_path / "a.py").write_text("    x = 1\n")
    assert [one.file for one in load_equivalents(tmp_path)] == ["a.py"]
    (tmp_path / "a.py").write_text("x = 2\n")
    with pytest.raises(SystemExit, match=r"a\.py has no line `x = 1`"):
        load_equivalents(tmp_path)


def test_the_lists_name_existing_files() -> None:
    assert load_equivalents(CHECKOUT) is not None
    for name, target in TARGETS.items():
        paths = [
            *target.get("sources", []),
            *target.get("tests", []),
            *(f"web/{one}" for one in target.get("mutate", [])),
        ]
        assert paths, name
        assert [path for path in paths if not (CHECKOUT / path).exists()] == [], name


def test_bugs_are_planted_one_at_a_time(tmp_path: Path) -> None:
    """A test at the limit notices `>=` instead of `>`; a test beyond the limit does not."""
    (tmp_path / "limits.py").write_text(MODULE)
    (tmp_path / "test_limits.py").write_text(TESTS)
    operator = "core/ReplaceComparisonOperator_Gt_GtE"
    mutants = python.plant(tmp_path, ["limits.py"], ["test_limits.py"], seconds=60, operator=operator)
    assert {(one.line, one.noticed) for one in mutants} == {
        ("return length > 4_000", True), ("return width > 10", False),
    }  # fmt: skip
    assert (tmp_path / "limits.py").read_text() == MODULE


def test_bugs_outside_of_functions_are_planted_too(tmp_path: Path) -> None:
    """The row is made on import, by a function that no test calls."""
    (tmp_path / "rows.py").write_text(
        f'"""{"A row of numbers. " * 20}"""\n\nLENGTH: int | None = 3\n\n\n'
        "def row(*, length):\n    return [7 for _ in range(length)]\n\n\nROW = row(length=LENGTH)\n"
    )
    (tmp_path / "test_rows.py").write_text(
        "from rows import ROW\n\n\ndef test_third() -> None:\n    assert ROW[2] == 7\n"
    )
    plant = partial(python.plant, tmp_path, ["rows.py"], ["test_rows.py"])
    assert {one.becomes.replace("[ ", "["): one.noticed for one in plant(operator="core/NumberReplacer")} == {
        "LENGTH: int | None = 2": True, "LENGTH: int | None = 4": False,
        "return [6 for _ in range(length)]": True, "return [8 for _ in range(length)]": True,
    }  # fmt: skip
    (tmp_path / "mutants.sqlite").unlink()
    assert plant(operator="core/ReplaceBinaryOperator") == []  # neither a union of types nor the star is an operator
