"""Bugs in Python, planted by cosmic-ray in a copy of the checkout."""

import ast
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult

from bench.mutants.outcome import Mutant

SEED = 1
"""Seed of the sample, so that each run has the same bugs."""
_FORKS = Path(__file__).with_name("forks.py")


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

    Without `seconds` the limit is five times the tests' time without a bug, and ten seconds. `operator` is a prefix of
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
    left_out = {path: list(_left_out(root / path)) for path in {item.mutations[0].module_path for item in items}}
    mutations = ((item, item.mutations[0]) for item in items)
    wanted = [
        item
        for item, mutation in mutations
        if mutation.operator_name.startswith(operator)
        and not any(one.covers(mutation) for one in left_out[mutation.module_path])
    ]
    if sample is not None and sample < len(wanted):
        wanted.sort(key=lambda item: _place(item.mutations[0]))
        wanted = random.Random(SEED).sample(wanted, sample)
    kept = {item.job_id for item in wanted}
    for item in items:
        if item.job_id not in kept:
            database.set_result(item.job_id, WorkResult(WorkerOutcome.SKIPPED))


@dataclass(frozen=True)
class _LeftOut:
    """A piece of a module in which the bugs of an operator show nothing about the tests."""

    start: tuple[int, int]
    end: tuple[int, int]
    operator: str

    def covers(self, mutation: MutationSpec) -> bool:
        inside = self.start <= mutation.start_pos < self.end
        return inside and str(mutation.operator_name).startswith(self.operator)


def _left_out(file: Path) -> Iterator[_LeftOut]:
    """Find the `|` between types, the `*` before keyword arguments, and the `frozen` and `kw_only` of classes.

    Another operator between types is an error on import, whatever the tests are. The others restrict how code may be
    written, which mypy checks.
    """
    for node in ast.walk(ast.parse(file.read_text())):
        types = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.Module | ast.ClassDef):
            types += (
                one for one in node.body if isinstance(one, ast.Assign | ast.AnnAssign)
            )  # such as a name for a union
        yield from (_piece(one, "core/ReplaceBinaryOperator_BitOr_") for one in types if one)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            end = node.body[0].lineno, node.body[0].col_offset
            yield _LeftOut((node.lineno, node.col_offset), end, "core/ReplaceBinaryOperator_Mul_")
        if isinstance(node, ast.ClassDef):
            keywords = [word for one in node.decorator_list if isinstance(one, ast.Call) for word in one.keywords]
            for keyword in [*node.keywords, *keywords]:
                if keyword.arg in {"frozen", "kw_only"}:
                    yield _piece(keyword.value, "core/Replace")


def _piece(node: ast.expr | ast.stmt, operator: str) -> _LeftOut:
    end = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
    return _LeftOut((node.lineno, node.col_offset), end, operator)


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
