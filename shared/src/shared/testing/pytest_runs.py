"""Runs of pytest in a separate process that report which tests failed."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

OPTION = "--failures-to"
"""The option of `shared.testing.plugin` with the file to which it writes failures, a line of JSON each."""
TESTS_FAILED = 1
"""The exit status of pytest if all tests ran and some failed."""


class Failure(msgspec.Struct, frozen=True, order=True):
    """A failed test. Failures sort by file and line."""

    file: str
    line: int
    test: str
    """The node ID, without the group that pytest-xdist appends."""


class Run(msgspec.Struct, frozen=True):
    status: int
    """The exit status of pytest."""
    failures: list[Failure]
    """Each test once, in file order."""

    @property
    def may_be_flaky(self) -> bool:
        """Return whether failed tests are all that went wrong. An error while collecting tests is no such run."""
        return self.status == TESTS_FAILED and bool(self.failures)


def run_pytest(arguments: Sequence[str], *, seed: int | None = None, output: IO[bytes] | None = None) -> Run:
    """Run pytest in the current folder.

    `seed` decides the order of the tests, their random numbers and the examples of Hypothesis. `output` receives what
    pytest prints, instead of the terminal.
    """
    seeds = [] if seed is None else [f"--randomly-seed={seed}", f"--hypothesis-seed={seed}"]
    with tempfile.TemporaryDirectory(prefix="webchat-failures-") as folder:
        file = Path(folder) / "failures"
        command = [sys.executable, "-P", "-m", "pytest", f"{OPTION}={file}", *seeds, *arguments]
        done = subprocess.run(command, check=False, stdout=output, stderr=subprocess.STDOUT if output else None)
        return Run(done.returncode, load_failures(file))


def note_failure(file: Path, failure: Failure) -> None:
    """Append a failure to the file. A test that fails in its set-up and its teardown is noted twice."""
    with file.open("ab") as failures:
        failures.write(msgspec.json.encode(failure) + b"\n")


def load_failures(file: Path) -> list[Failure]:
    """Return each noted failure once, in file order."""
    lines = file.read_bytes().splitlines() if file.exists() else []
    return sorted({msgspec.json.decode(line, type=Failure) for line in lines})
