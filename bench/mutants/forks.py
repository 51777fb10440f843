"""Test the pending bugs of a cosmic-ray session, each in a fork of a process that has imported everything it can.

Run it as a script in the copy of the checkout: `forks.py SESSION SECONDS TEST ...`. There are two ways:

- A bug inside a function is planted in a fork of a pytest process that has collected the tests: the function's code is
  replaced, and only the tests that call the function in this process run.
- Another bug, or one in a function that is called on import, is planted in the file. Then all tests run in a fork of a
  process that has imported only the packages of others.
"""

import gc
import importlib
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib.util import cache_from_source
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from cosmic_ray.ast import get_ast
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult
from hypothesis import Phase, settings

_OPTIONS = [
    "-x", "-q", "-s", "-p", "no:randomly", "-p", "no:cacheprovider", "--hypothesis-seed=0",
    "-W", "ignore:Module already imported",  # pytest cannot improve the assertions of plugins that are imported
]  # fmt: skip
_fork = multiprocessing.get_context("fork")
_Function = tuple[str, str, int]
"""The file of a function, its qualified name, and its first line."""


def main(session: str, seconds: float, tests: list[str]) -> None:
    for module in _run(_third_parties, tests, limit=600) or ():
        with suppress(ImportError):  # modules that packages make while they run, such as six.moves
            importlib.import_module(module)
    sys.dont_write_bytecode = True
    with use_db(session, WorkDB.Mode.open) as database:
        pending = [Bug(item) for item in database.pending_work_items]
    valid = {bug.id: bug for bug in pending if bug.is_valid}
    results = {bug.id: WorkResult(WorkerOutcome.SKIPPED) for bug in pending if not bug.is_valid}
    functions = Functions(list(valid.values()), seconds)
    answer = _run(_plant_in_functions, tests, functions, limit=24 * 3600)
    if isinstance(answer, str) or answer is None:
        raise SystemExit(f"the tests fail without a planted bug:\n{answer}")
    outcomes, failures, limit = answer
    rest = sorted(valid.keys() - outcomes.keys(), key=lambda job: valid[job].place)
    for count, job in enumerate(rest, 1):
        with valid[job].in_file():
            outcomes[job] = bool(_run(_pass, tests, failures, limit=limit))
        _report("files", count, len(rest))
    for job, survived in outcomes.items():
        outcome = TestOutcome.SURVIVED if survived else TestOutcome.KILLED
        results[job] = WorkResult(WorkerOutcome.NORMAL, test_outcome=outcome, diff=valid[job].line)
    with use_db(session, WorkDB.Mode.open) as database:
        for job, result in results.items():
            database.set_result(job, result)


class Bug:
    """A planted bug and the source of its module. `line` is the line with the bug."""

    def __init__(self, item: WorkItem) -> None:
        [mutation] = item.mutations
        self.id = item.job_id
        self.path = Path(mutation.module_path).absolute()
        self.place = str(self.path), mutation.start_pos
        self.original = self.path.read_text()
        operator = get_operator(mutation.operator_name)(**mutation.operator_args)
        visitor = MutationVisitor(mutation.occurrence, operator)
        self.source = visitor.walk(pickle.loads(_tree(self.original))).get_code()  # noqa: S301 - our own
        self.line = self.source.splitlines()[mutation.start_pos[0] - 1].strip()

    @property
    def is_valid(self) -> bool:
        """True if Python compiles the code without a warning.

        It does not if an operator replaces the `*` before keyword arguments, or if `is` compares with a literal.
        """
        try:
            with warnings.catch_warnings(action="error"):
                compile(self.source, str(self.path), "exec")
        except SyntaxError:
            return False
        return True

    def functions(self) -> dict[_Function, CodeType] | None:
        """Return the code of the functions that the bug changes, or None if it changes code outside of functions."""
        old, before = _compile(self.original, str(self.path))
        new, after = _compile(self.source, str(self.path))
        if old.keys() != new.keys() or before != after:
            return None
        changed = {name: code for name, code in new.items() if code != old[name]}
        return None if any(code.co_freevars != old[name].co_freevars for name, code in changed.items()) else changed

    @contextmanager
    def in_file(self) -> Iterator[None]:
        Path(cache_from_source(str(self.path))).unlink(missing_ok=True)
        self.path.write_text(self.source)
        try:
            yield
        finally:
            self.path.write_text(self.original)


@lru_cache(maxsize=4)
def _tree(source: str) -> bytes:
    """Return the syntax tree of a module, pickled, because parsing takes three times as long as loading."""
    return pickle.dumps(get_ast(source))


@lru_cache(maxsize=4)
def _compile(source: str, file: str) -> tuple[dict[_Function, CodeType], object]:
    """Return the functions of a module, and a value that is equal for modules with equal code outside of functions."""
    code = compile(source, file, "exec")
    return dict(_functions_of(code)), _outside(code)


def _functions_of(code: CodeType) -> Iterator[tuple[_Function, CodeType]]:
    for inner in _inner(code):
        if inner.co_flags & 2:  # CO_NEWLOCALS: a function, not the body of a class
            yield (inner.co_filename, inner.co_qualname, inner.co_firstlineno), inner
        yield from _functions_of(inner)


def _inner(code: CodeType) -> Iterable[CodeType]:
    return (constant for constant in code.co_consts if isinstance(constant, CodeType))


def _outside(code: CodeType) -> object:
    constants = [_outside(one) if isinstance(one, CodeType) else (type(one), one) for one in code.co_consts]
    if code.co_flags & 2:
        return code.co_qualname, code.co_firstlineno
    return code.co_code, code.co_names, constants


class WithoutShrinking:
    """A pytest plugin that makes hypothesis stop at the first example that fails, and forget it."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        settings.register_profile(
            "mutants",
            settings.get_profile(settings.get_current_profile_name()),
            phases=[Phase.explicit, Phase.generate],
            database=None,
        )
        settings.load_profile("mutants")


class Functions(WithoutShrinking):
    """A pytest plugin that tests the bugs in functions instead of running the tests once."""

    def __init__(self, bugs: list[Bug], seconds: float) -> None:
        self._bugs = bugs
        self._seconds = seconds
        self._files = {str(bug.path) for bug in bugs}
        self._calls: set[_Function] = set()
        self.failures: Counter[str] = Counter()
        self.survived: dict[str, bool] = {}
        self.limit = 0.0
        self.error = ""

    def _limit(self, seconds: Iterable[float]) -> float:
        """Return the limit of a run of tests, from their seconds without a bug."""
        return self._seconds or 10 + 5 * sum(seconds)

    def note_calls(self) -> None:
        """Start to collect the functions that are called."""
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and (code := frame.f_code).co_filename in self._files:
            self._calls.add((code.co_filename, code.co_qualname, code.co_firstlineno))

    def pytest_internalerror(self, excrepr: object) -> None:
        self.error = str(excrepr)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        on_import, callers, seconds = self._calls, defaultdict[_Function, list[pytest.Item]](list), dict[str, float]()
        for item, following in _with_next(session.items):
            self._calls, started = set(), time.monotonic()
            if error := _error(item, following):
                self.error = error
                return True
            seconds[item.nodeid] = time.monotonic() - started
            for function in self._calls:
                callers[function].append(item)
        sys.setprofile(None)
        self.limit = self._limit(seconds.values())
        self._bugs.sort(key=lambda bug: bug.place)
        for count, bug in enumerate(self._bugs, 1):
            functions = bug.functions()
            if functions is not None and not functions.keys() & on_import:
                items = {item.nodeid: item for function in functions for item in callers[function]}
                first = sorted(items, key=lambda name: seconds[name] / (1 + self.failures[name]))
                limit = self._limit(seconds[name] for name in first)
                failed = _run(_test, functions, [items[name] for name in first], limit=limit)
                self.survived[bug.id] = failed == ""
                self.failures.update([failed] if failed else [])
            _report("functions", count, len(self._bugs))
        return True


def _test(functions: dict[_Function, CodeType], items: list[pytest.Item]) -> str:
    """Replace the code of functions, and run tests. Returns the name of the first that fails, or "" if all pass."""
    for function in [one for one in gc.get_objects() if isinstance(one, FunctionType)]:
        code = function.__code__
        if changed := functions.get((code.co_filename, code.co_qualname, code.co_firstlineno)):
            function.__code__ = changed
    return next((item.nodeid for item, following in _with_next(items) if _error(item, following)), "")


def _with_next(items: list[pytest.Item]) -> Iterable[tuple[pytest.Item, pytest.Item | None]]:
    return zip(items, [*items, None][1:], strict=True)


def _error(item: pytest.Item, following: pytest.Item | None) -> str:
    return "\n".join(report.longreprtext for report in runtestprotocol(item, False, following) if report.failed)


def _plant_in_functions(tests: list[str], functions: Functions) -> object:
    functions.note_calls()
    code = _pytest(tests, functions)
    if functions.error or code not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        return functions.error or f"pytest exits with {code}"
    return functions.survived, functions.failures, functions.limit


def _third_parties(tests: list[str]) -> list[str]:
    """Collect the tests, and return the modules that are not part of the copy."""
    _pytest(tests, "--collect-only")
    files = ((name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items()))
    return sorted(name for name, file in files if file and not Path(file).is_relative_to(Path.cwd()))


def _pass(tests: list[str], failures: Counter[str]) -> bool:
    return _pytest(tests, Order(failures)) == pytest.ExitCode.OK


class Order(WithoutShrinking):
    """A pytest plugin that runs the tests that failed most often first."""

    def __init__(self, failures: Counter[str]) -> None:
        self._failures = failures

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: -self._failures[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failures[report.nodeid] += 1


def _pytest(tests: list[str], *more: object) -> int:
    options = [one for one in more if isinstance(one, str)]
    return pytest.main([*_OPTIONS, *options, *tests], plugins=[one for one in more if not isinstance(one, str)])


def _run(target: Callable[..., object], *arguments: object, limit: float) -> Any:
    """Return the result of a function that runs in a fork, or None if it crashes or exceeds the limit in seconds."""
    receiver, sender = _fork.Pipe(duplex=False)
    process = _fork.Process(target=_call, args=(sender, target, *arguments))
    process.start()
    sender.close()
    try:
        answer = receiver.recv() if receiver.poll(limit) else None
    except EOFError:
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.join()
        receiver.close()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _call(sender: Connection, target: Callable[..., object], *arguments: object) -> None:
    os.setsid()
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 1)
        try:
            answer = target(*arguments)
        except Exception as error:  # noqa: BLE001 - raised in the parent
            answer = error
        sender.send(answer)


def _report(what: str, count: int, total: int) -> None:
    if count % 50 == 0 or count == total:
        print(f"bugs in {what}: {count} of {total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
