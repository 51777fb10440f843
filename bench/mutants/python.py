"""Bugs in Python, planted by cosmic-ray in a copy of the checkout."""

import ast
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
_FORKS = Path(__file__).with_name("forks.py")
_Range = tuple[tuple[int, int], tuple[int, int]]
"""Line and column of the start and of the end."""


def plant(
    root: Path,
    sources: list[str],
    tests: list[str],
    *,
    seconds: float = 0,
    sample: int | None = None,
    operator: str = "",
) -> list[Mutant]:
    """Return all planted bugs with their outcomes. A test run that takes longer than `seconds` counts as noticed.

    Without `seconds` the limit is five times the tests' time without a bug, and five seconds. `operator` is a prefix of
    the operators to use, `sample` the maximum number of bugs.
    """
    files = sorted(file for source in sources for file in _modules(root / source))
    config, session = root / "mutants.toml", root / "mutants.sqlite"
    config.write_text(
        "[cosmic-ray]\n"
        f"module-path = {[str(file.relative_to(root)) for file in files]}\n"
        f"timeout = {seconds}\nexcluded-modules = []\ntest-command = 'forks.py'\n"
        "[cosmic-ray.distributor]\nname = 'local'\n"
    )
    environment = os.environ | {"PYTHONPATH": ":".join(str(path) for path in _paths(root))}
    _run(root, environment, "-m", "cosmic_ray.cli", "init", str(config), str(session))
    with use_db(session, WorkDB.Mode.open) as database:
        _skip(root, database, sample, operator)
    _run(root, environment, str(_FORKS), str(session), str(seconds), *tests)
    with use_db(session, WorkDB.Mode.open) as database:
        return list(_outcomes(root, database))


def _run(root: Path, environment: dict[str, str], *words: str) -> None:
    subprocess.run([sys.executable, "-P", *words], cwd=root, env=environment, check=True)


def _modules(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*.py") if file.stat().st_size > 200]


def _paths(root: Path) -> Iterator[Path]:
    yield from (project.parent / "src" for project in sorted(root.glob("**/pyproject.toml")) if project.parent != root)
    yield root


def _skip(root: Path, database: WorkDB, sample: int | None, operator: str) -> None:
    """Mark the mutations that are left out as done."""
    items = sorted(database.pending_work_items, key=lambda item: item.job_id)
    types = {path: list(_types(root / path)) for path in {item.mutations[0].module_path for item in items}}
    mutations = ((item, item.mutations[0]) for item in items)
    wanted = [
        item
        for item, mutation in mutations
        if mutation.operator_name.startswith(operator) and not _joins_types(mutation, types[mutation.module_path])
    ]
    if sample is not None and sample < len(wanted):
        wanted.sort(key=lambda item: _place(item.mutations[0]))
        wanted = random.Random(SEED).sample(wanted, sample)
    kept = {item.job_id for item in wanted}
    for item in items:
        if item.job_id not in kept:
            database.set_result(item.job_id, WorkResult(WorkerOutcome.SKIPPED))


def _joins_types(mutation: MutationSpec, types: list[_Range]) -> bool:
    """Return whether a mutation replaces the `|` of `X | None`. That is an error on import, whatever the tests are."""
    return mutation.operator_name.startswith("core/ReplaceBinaryOperator_BitOr_") and any(
        start <= mutation.start_pos < end for start, end in types
    )


def _types(file: Path) -> Iterator[_Range]:
    """Find the annotations of a module and the assignments outside of functions, which name unions of types."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        for field in ("annotation", "returns"):
            if annotation := getattr(node, field, None):
                yield _range_of(annotation)
        if isinstance(node, ast.Module | ast.ClassDef):
            yield from (_range_of(one) for one in node.body if isinstance(one, ast.Assign))


def _range_of(node: ast.expr | ast.stmt) -> _Range:
    return (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)


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
        yield Mutant(
            str(mutation.module_path), mutation.start_pos[0], line, mutation.operator_name, noticed, str(result.diff)
        )
