"""Run the tests N times in random order, and count failures: `python -m shared.testing.flaky N FOLDER PYTEST...`.

FOLDER receives the log of each run and, after each run, `table.md`: a line for each test that failed, with the number
of its failures, the seeds of these runs and their logs. `make test SEED=N` repeats the order of a run.
"""

import argparse
import secrets
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from shared.testing.pytest_runs import Run, run_pytest


class Numbered(NamedTuple):
    """A run with its number, seed and log."""

    number: int
    seed: int
    log: Path
    run: Run


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Run the tests many times in random order, and count the failures.")
    parser.add_argument("times", type=int, help="number of runs")
    parser.add_argument("folder", type=Path, help="folder for logs and table")
    options, arguments = parser.parse_known_args(words)
    options.folder.mkdir(parents=True, exist_ok=True)
    runs: list[Numbered] = []
    table = "No run has ended.\n"
    for number in range(1, options.times + 1):
        runs.append(_run(number, options.folder, arguments))
        table = as_table(runs)
        (options.folder / "table.md").write_text(table)
        print(f"  {number} of {options.times}: {_last_line(runs[-1].log)} (seed {runs[-1].seed})", flush=True)
    print(f"\n{table}\n{options.folder}/table.md has this table; the logs are beside it.")
    return 0 if all(numbered.run.status == 0 for numbered in runs) else 1


def _run(number: int, folder: Path, arguments: Sequence[str]) -> Numbered:
    seed = secrets.randbelow(2**32)
    log = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-seed-{seed}.log"
    with log.open("wb") as output:
        return Numbered(number, seed, log, run_pytest(arguments, seed=seed, output=output))


def as_table(runs: Sequence[Numbered]) -> str:
    """Return a table in Markdown, the test that failed most often first, and a line for each run that broke."""
    failed: defaultdict[str, list[Numbered]] = defaultdict(list)
    for numbered in runs:
        for failure in numbered.run.failures:
            failed[failure.test].append(numbered)
        if numbered.run.status != 0 and not numbered.run.may_be_flaky:
            failed[f"(pytest ended with status {numbered.run.status})"].append(numbered)
    lines = [f"{len(runs)} runs, {sum(numbered.run.status == 0 for numbered in runs)} without a failure."]
    if failed:
        lines += ["", "| test | failures | seeds | logs |", "|---|---|---|---|"]
    for test, where in sorted(failed.items(), key=lambda item: (-len(item[1]), item[0])):
        seeds = ", ".join(str(numbered.seed) for numbered in where)
        logs = ", ".join(numbered.log.name for numbered in where)
        lines.append(f"| {test.replace('|', '&#124;')} | {len(where)} | {seeds} | {logs} |")
    return "\n".join(lines) + "\n"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].strip("= ") if lines else "no output"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
