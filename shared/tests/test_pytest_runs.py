"""Runs of the tests: failed ones run once more alone, and `make flaky` counts failures over many runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.testing.flaky import Numbered, as_table
from shared.testing.pytest_runs import Failure, Run

CONFTEST = 'pytest_plugins = ["shared.testing.plugin"]\n'
ALTERNATING = """
import pathlib
import pytest

def note(name):
    with pathlib.Path("ran").open("a") as ran:
        ran.write(f"{name}\\n")
    return pathlib.Path("ran").read_text().split().count(name)

def test_passes():
    note("passes")

@pytest.mark.parametrize("mail", ["a@b"])
def test_fails_once(mail):
    assert note("once") > 1

@pytest.fixture
def broken_once():
    assert note("fixture") > 1

def test_has_a_fixture_that_fails_once(broken_once):
    pass
"""
FAILS_ALWAYS = "\ndef test_fails_always():\n    note('always')\n    assert False\n"
WORKERS = ["--dist=loadgroup", "--no-loadscope-reorder", "--numprocesses=2"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    return tmp_path


def run(checkout: Path, module: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", f"shared.testing.{module}", *words]
    environment = {name: value for name, value in os.environ.items() if name != "WEBCHAT_TESTS"}
    environment["WEBCHAT_FLAKY_LIST"] = str(checkout / "listed")
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_failed_tests_run_once_more_alone_and_are_named_as_flaky(checkout: Path):
    (checkout / "test_it.py").write_text(ALTERNATING)
    done = run(checkout, "confirm_failures", "--seed=17", *WORKERS, "test_it.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Using --randomly-seed=17") == 2
    names = ["test_it.py::test_fails_once[a@b]", "test_it.py::test_has_a_fixture_that_fails_once"]
    lines = [f"FLAKY {name}: failed once, passed alone (docs/testing.md)" for name in names]
    assert done.stdout.splitlines()[-2:] == lines
    assert (checkout / "listed").read_text().splitlines() == lines
    ran = (checkout / "ran").read_text().split()
    assert sorted(ran[:3]) == ["fixture", "once", "passes"]
    assert ran[3:] == ["once", "fixture"], "only those that failed, in file order"


def test_a_test_that_fails_twice_fails_the_run_and_is_not_flaky(checkout: Path):
    (checkout / "test_it.py").write_text(ALTERNATING + FAILS_ALWAYS)
    done = run(checkout, "confirm_failures", "test_it.py")
    assert done.returncode == 1
    assert (checkout / "ran").read_text().split().count("always") == 2
    flaky = [line for line in done.stdout.splitlines() if line.startswith("FLAKY")]
    assert len(flaky) == 2
    assert not any("always" in line for line in flaky)


def test_an_error_while_collecting_fails_the_run_at_once(checkout: Path):
    (checkout / "test_it.py").write_text("import pathlib\npathlib.Path('ran').open('a').write('x')\nraise OSError\n")
    done = run(checkout, "confirm_failures", "test_it.py")
    assert done.returncode == 2
    assert (checkout / "ran").read_text() == "x"


def test_many_runs_keep_going_and_leave_their_logs_and_a_table(checkout: Path):
    (checkout / "test_it.py").write_text(FAILS_ALWAYS.replace("    note('always')\n", "") + "def test_passes(): pass\n")
    done = run(checkout, "flaky", "2", "runs", "test_it.py")
    assert done.returncode == 1, done.stderr
    table = (checkout / "runs" / "table.md").read_text()
    assert table in done.stdout
    logs = sorted(log.name for log in (checkout / "runs").glob("*.log"))
    assert all("1 failed, 1 passed" in (checkout / "runs" / log).read_text() for log in logs)
    row = table.splitlines()[-1].strip("| ").split(" | ")
    assert row[:2] == ["test_it.py::test_fails_always", "2"]
    seeds = row[2].split(", ")
    assert [log.rpartition("-")[2].removesuffix(".log") for log in row[3].split(", ")] == seeds
    assert sorted(row[3].split(", ")) == logs


def test_the_table_names_the_most_frequent_failure_first_and_broken_runs(tmp_path: Path):
    a, b = Failure("test_a.py", 1, "test_a.py::test_a"), Failure("test_b.py", 2, "test_b.py::test_b[x|y]")
    runs = [
        Numbered(1, 11, tmp_path / "1.log", Run(1, [a, b])),
        Numbered(2, 12, tmp_path / "2.log", Run(1, [b])),
        Numbered(3, 13, tmp_path / "3.log", Run(0, [])),
        Numbered(4, 14, tmp_path / "4.log", Run(2, [])),
    ]
    assert as_table(runs).splitlines() == [
        "4 runs, 1 without a failure.",
        "",
        "| test | failures | seeds | logs |",
        "|---|---|---|---|",
        "| test_b.py::test_b[x&#124;y] | 2 | 11, 12 | 1.log, 2.log |",
        "| (pytest ended with status 2) | 1 | 14 | 4.log |",
        "| test_a.py::test_a | 1 | 11 | 1.log |",
    ]
