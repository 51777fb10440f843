"""Run the tests, and those that failed once more: `python -m shared.testing.confirm_failures [--seed N] PYTEST...`.

The second run has only the failed tests, in a new process, in file order and without workers. A repetition in the same
process and order would repeat the same cause. The exit status is that of the second run, and the last lines name the
tests that passed in it.
"""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from shared.testing.pytest_runs import Failure, run_pytest

LIST = "WEBCHAT_FLAKY_LIST"
"""The environment variable with a file to which the names of flaky tests are appended, for the last lines of CI."""
MAX_CONFIRMED = 200
"""With more failures than this the cause is not a flaky test, and nothing runs again."""


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Run pytest, and failed tests once more in a new process.")
    parser.add_argument("--seed", type=int, help="order of the tests and seed of their random numbers")
    options, arguments = parser.parse_known_args(words)
    first = run_pytest(arguments, seed=options.seed)
    if not first.may_be_flaky:
        return first.status
    count = len(first.failures)
    if count > MAX_CONFIRMED:
        print(f"\n{count} tests failed, too many to run once more")
        return first.status
    print(f"\n{count} failed: running only {'it' if count == 1 else 'them'} once more, in a new process\n", flush=True)
    # Without the plugin's order, because tests that share a stack run in file order then too.
    again = run_pytest(["--randomly-dont-reorganize", *(failure.test for failure in first.failures)], seed=options.seed)
    failed_twice = {failure.test for failure in again.failures}
    if again.status == 0 or again.may_be_flaky:
        report_flaky(failure for failure in first.failures if failure.test not in failed_twice)
    return again.status


def report_flaky(failures: Iterable[Failure]) -> None:
    """Print the tests that failed once and passed alone, and append them to the list of CI."""
    lines = [f"FLAKY {failure.test}: failed once, passed alone (docs/testing.md)" for failure in failures]
    print("", *lines, sep="\n", flush=True)
    if lines and (file := os.environ.get(LIST)):
        with Path(file).open("a") as listed:
            listed.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
