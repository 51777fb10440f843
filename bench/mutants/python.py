"""Bugs in Python, planted by cosmic-ray in a copy of the checkout."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult

from bench.mutants.outcome import Mutant

SEED = 1
"""Seed of the sample, so that each run has the same bugs."""
_LEFT_OUT = ("core/ReplaceBinaryOperator_BitOr_",)
"""Operators that mutate `X | None` in annotations."""


def plant(
    root: Path, sources: list[str], tests: list[str], *, seconds: float, sample: int | None = None, operator: str = ""
) -> list[Mutant]:
    """Return all planted bugs with their outcomes. A test run that takes longer than `seconds` counts as noticed.

    `operator` is a prefix of the operators to use, `sample` the maximum number of bugs.
    """
    files = sorted(file for source in sources for file in _modules(root / source))
    command = [sys.executable, "-P", "-m", "pytest", "-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *tests]
    quoted = " ".join(command)
    config, session = root / "mutants.toml", root / "mutants.sqlite"
    config.write_text(
        "[cosmic-ray]\n"
        f"module-path = {[str(file.relative_to(root)) for file in files]}\n"
        f"timeout = {seconds}\nexcluded-modules = []\ntest-command = '{quoted}'\n"
        "[cosmic-ray.distributor]\nname = 'local'\n"
    )
    environment = os.environ | {"PYTHONPATH": ":".join(str(path) for path in _paths(root))}
    subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
    _run(root, environment, "init", str(config), str(session))
    with use_db(session, WorkDB.Mode.open) as database:
        _skip(database, sample, operator)
    _run(root, environment, "exec", str(config), str(session))
    with use_db(session, WorkDB.Mode.open) as database:
        return list(_outcomes(root, database))


def _run(root: Path, environment: dict[str, str], *words: str) -> None:
    subprocess.run([sys.executable, "-m", "cosmic_ray.cli", *words], cwd=root, env=environment, check=True)


def _modules(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*.py") if file.stat().st_size > 200]


def _paths(root: Path) -> Iterator[Path]:
    yield from (project.parent / "src" for project in sorted(root.glob("**/pyproject.toml")) if project.parent != root)
    yield root


def _skip(database: WorkDB, sample: int | None, operator: str) -> None:
    """Mark the mutations that are left out as done."""
    items = sorted(database.pending_work_items, key=lambda item: item.job_id)
    named = ((item, item.mutations[0].operator_name) for item in items)
    wanted = [item for item, name in named if name.startswith(operator) and not name.startswith(_LEFT_OUT)]
    if sample is not None and sample < len(wanted):
        wanted.sort(key=lambda item: _place(item.mutations[0]))
        wanted = random.Random(SEED).sample(wanted, sample)
    kept = {item.job_id for item in wanted}
    for item in items:
        if item.job_id not in kept:
            database.set_result(item.job_id, WorkResult(WorkerOutcome.SKIPPED))


def _place(mutation: MutationSpec) -> tuple[str, int, str, int]:
    return str(mutation.module_path), mutation.start_pos[0], mutation.operator_name, mutation.occurrence


def _outcomes(root: Path, database: WorkDB) -> Iterator[Mutant]:
    results = dict(database.results)
    for item in database.work_items:
        result = results[item.job_id]
        if result.worker_outcome == WorkerOutcome.SKIPPED:
            continue
        mutation = item.mutations[0]
        line = (root / mutation.module_path).read_text().splitlines()[mutation.start_pos[0] - 1].strip()
        noticed = result.test_outcome != TestOutcome.SURVIVED
        yield Mutant(str(mutation.module_path), mutation.start_pos[0], line, mutation.operator_name, noticed)
