"""A pytest plugin that groups the tests for two workers and reports their durations.

With pytest-xdist each module is a group, so its fixtures exist once. The modules of a folder that use its stack form
one group, because a stack is eleven processes. It stops after the last test of the group. Long groups start first.
"""

import os
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from shared.testing import pytest_runs
from shared.testing.quarantine import DAYS, load_quarantine

_LONG_FIRST = (
    "tests-e2e/browser",
    "tests-e2e/operations",
    "tests-e2e",
    "deploy/embedded",
    "services/media",
    "services/rooms",
    "bench",
)
_STACKS = ("stack", "webchat", "browser")
"""The session fixtures that run a stack or a browser."""
_STARTS = "WEBCHAT_TEST_STARTS"
"""The environment variable with the file to which each start of a stack appends a line."""
_HINTS = {
    "MariaDB": "apt-get install mariadb-server",
    "Chromium": "apt-get install chromium",
    "client is not built": "make web",
    "rsyslog": "apt-get install rsyslog rsyslog-kafka rsyslog-elasticsearch",
    "ZooKeeper": "apt-get install zookeeper",
    "promtool": "apt-get install prometheus",
}
"""The commands that enable tests skipped for these reasons."""
_GROUP_SUFFIX = re.compile(r"@[^@\]]+$")
"""The group in a node ID of pytest-xdist. Parameters, which may contain an @, end with a bracket."""
_is_complete = os.environ.get("WEBCHAT_TESTS") == "all"


def note_start(name: str) -> None:
    """Count the start of a stack for the report at the end of the run."""
    if file := os.environ.get(_STARTS):
        with Path(file).open("a") as starts:
            starts.write(f"{name}\n")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        pytest_runs.OPTION, type=Path, dest="failures_file", help="append each failed test to this file, as JSON"
    )


def pytest_configure(config: pytest.Config) -> None:
    # No test fails because the machine is busy.
    unhurried = [HealthCheck.too_slow]
    settings.register_profile("webchat", deadline=None, suppress_health_check=unhurried, print_blob=True)
    settings.load_profile("webchat")
    config.addinivalue_line("markers", "empty_database: the database of `database_env` has no tables")
    config.addinivalue_line("markers", "fresh: starts its own processes")
    config.addinivalue_line("markers", "embedded_only(reason): not for stacks in containers")
    if not is_worker(config):
        if (file := config.option.failures_file) is not None:
            config.pluginmanager.register(_FailureNotes(file), "webchat-failures")
        descriptor, name = tempfile.mkstemp(prefix="webchat-starts-")
        os.close(descriptor)
        os.environ[_STARTS] = name


def pytest_unconfigure(config: pytest.Config) -> None:
    if not is_worker(config) and (name := os.environ.pop(_STARTS, None)):
        Path(name).unlink(missing_ok=True)


class _FailureNotes:
    """Notes each failed test, for `pytest_runs`. With workers, reports come from all of them."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            file, line, _ = report.location
            failure = pytest_runs.Failure(file, line or 0, _without_group(report.nodeid))
            pytest_runs.note_failure(self._file, failure)


def _without_group(node_id: str) -> str:
    return _GROUP_SUFFIX.sub("", node_id)


def is_worker(config: pytest.Config) -> bool:
    """Return whether this process is a worker of pytest-xdist, not the controller or the only process."""
    return hasattr(config, "workerinput")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Group the tests, deselect tests of MySQL without a server, and put long groups first."""
    if "TEST_MYSQL_URL" not in os.environ:
        _deselect(config, items, "mysql")
    if os.environ.get("WEBCHAT_STACK") == "containers":
        _deselect(config, items, "embedded_only")
    quarantined = load_quarantine(config.rootpath / "quarantine.toml")
    if overdue := [entry.test for entry in quarantined if entry.is_overdue(datetime.now(UTC).date())]:
        raise pytest.UsageError(f"in quarantine for more than {DAYS} days: {', '.join(overdue)}")
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
        for entry in quarantined:
            if entry.covers(item.nodeid):
                item.add_marker(pytest.mark.xfail(reason=f"in quarantine since {entry.since}: {entry.reason}"))
    yield
    items.sort(key=lambda item: _rank(item.nodeid))  # stable: within a rank the order stays random
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        first.setdefault(_group(item), index)
    items.sort(key=lambda item: first[_group(item)])  # one group after the other, as with workers
    if is_worker(config) and config.getvalue("loadgroup") and not all("@" in item.nodeid for item in items):
        raise pytest.UsageError("pytest-xdist does not group the tests: is pytest older than 9.2?")


def _deselect(config: pytest.Config, items: list[pytest.Item], marker: str) -> None:
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker(marker)])
    items[:] = [item for item in items if not item.get_closest_marker(marker)]


def _group(item: pytest.Item) -> str:
    module = item.nodeid.partition("::")[0]
    return module.rpartition("/")[0] if _stacks_of(item) else module


def _stacks_of(item: pytest.Item) -> list["pytest.FixtureDef[object]"]:
    """Return the definitions of the session's stacks that the test uses."""
    found = getattr(item, "_fixtureinfo", None)
    names = found.name2fixturedefs if found else {}
    return [names[name][-1] for name in _STACKS if name in names and names[name][-1].scope == "session"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """Stop a stack that the next test does not use, because an unused one takes up to a sixth of a core."""
    yield
    for stack in _stacks_of(item):
        if nextitem is not None and stack not in _stacks_of(nextitem):
            stack.finish(item._request)  # type: ignore[attr-defined]  # noqa: SLF001 - pytest has no public way


def _rank(node_id: str) -> int:
    return next((rank for rank, start in enumerate(_LONG_FIRST) if node_id.startswith(start)), len(_LONG_FIRST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _is_complete and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, though WEBCHAT_TESTS=all: {report.longrepr}"
    return report


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport)
    ]
    _report_time(terminalreporter, reports)
    _report_skips(terminalreporter)


def _report_time(terminal: pytest.TerminalReporter, reports: list[pytest.TestReport]) -> None:
    folders: defaultdict[str, float] = defaultdict(float)
    fresh = {report.nodeid for report in reports if "fresh" in report.keywords}
    tests: defaultdict[str, float] = defaultdict(float)
    for report in reports:
        node = _without_group(report.nodeid)
        folders[_folder(node)] += report.duration
        tests[node] += report.duration
    if sum(folders.values()) < 20:
        return
    terminal.section("durations in seconds")
    for folder, seconds in sorted(folders.items(), key=lambda item: -item[1]):
        terminal.write_line(f"{seconds:7.1f}  {folder}")
    terminal.write_line("the slowest tests:")
    for node, seconds in sorted(tests.items(), key=lambda item: -item[1])[:20]:
        terminal.write_line(f"{seconds:7.1f}  {node}")
    terminal.write_line(f"tests that start their own processes: {len(fresh)}")
    starts = Counter(Path(os.environ[_STARTS]).read_text().splitlines()) if _STARTS in os.environ else Counter()
    if starts:
        terminal.write_line("stacks started: " + ", ".join(f"{count} {name}" for name, count in starts.items()))


def _folder(node: str) -> str:
    return node.partition("::")[0].rpartition("/")[0]


def _report_skips(terminal: pytest.TerminalReporter) -> None:
    reasons: Counter[str] = Counter()
    for report in terminal.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason.removeprefix("Skipped: ")] += 1
    for reason, count in reasons.most_common():
        hint = next((command for word, command in _HINTS.items() if word in reason and command not in reason), "")
        terminal.write_line(f"{count} left out: {reason}" + (f" ({hint})" if hint else ""), yellow=True)
