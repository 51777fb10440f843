"""One stack for all tests that leave it intact; tests that break it start their own."""

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

sys.path.insert(0, str(Path(__file__).parent))

from collector import collector
from containers import Containers, build_images
from measurements import LINES
from people import Person, signing_up
from stack import Stack
from swarm import leave_swarm
from target import IN_CONTAINERS, start

from shared.testing.plugin import is_worker

collect_ignore = [] if IN_CONTAINERS else ["operations"]
"""Tests of an operator's work with containers."""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Build the images once for all workers."""
    if IN_CONTAINERS and not is_worker(session.config) and not session.config.option.collectonly:
        with tempfile.TemporaryDirectory() as folder:
            build_images(Path(folder))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand a worker's measurements to the controller, which leaves the swarm once no worker runs containers."""
    if is_worker(session.config):
        session.config.workeroutput["measured"] = LINES  # type: ignore[attr-defined]
    elif IN_CONTAINERS:
        leave_swarm()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    LINES.extend(getattr(node, "workeroutput", {}).get("measured", []))  # a crashed worker has none


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:  # the first test of a stack starts it
            item.add_marker(pytest.mark.timeout(600 if IN_CONTAINERS else 300))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LINES:
        terminalreporter.section("measured")
        terminalreporter.write_line("\n".join(LINES))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    used = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(used, Containers):
        report.sections.append(("containers", used.describe()))
    return report


@pytest.fixture(scope="session")
def exported() -> Iterator[tuple[str, list[tuple[str, Span]]]]:
    """The address of a collector, and a list of (service, span) that the stack exports. Not for containers."""
    with collector() as serving:
        yield serving


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack under test; `WEBCHAT_TARGET` is the URL of one that already runs.

    Its settings suit all tests: it exports spans, and uploads time out after a few seconds if S3 hangs.
    """
    target = os.environ.get("WEBCHAT_TARGET")
    if target is not None:
        yield Stack(target, Path(os.environ.get("WEBCHAT_DATA", "")), dict(os.environ))
        return
    settings = {}
    if not IN_CONTAINERS:
        settings["OTEL_EXPORTER_OTLP_ENDPOINT"], _ = request.getfixturevalue("exported")
        settings["UPLOAD_DEADLINE_S"] = "8"
    with start(tmp_path_factory.mktemp("e2e"), **settings) as running:
        yield running


@pytest.fixture
async def someone(stack: Stack) -> AsyncIterator[Callable[[str], Awaitable[Person]]]:
    """A function that signs users up. Their sockets are closed at the end."""
    async with signing_up(stack.url) as sign_someone_up:
        yield sign_someone_up


@pytest.fixture
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack for one test."""
    with start(tmp_path_factory.mktemp("own")) as running:
        yield running
