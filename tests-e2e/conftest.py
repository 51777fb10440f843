"""One stack for all stories that leave it in order; those that break it start their own."""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

sys.path.insert(0, str(Path(__file__).parent))

from collector import collector
from containers import Containers
from people import Person, signing_up
from stack import Stack
from target import IN_CONTAINERS, start
from told import LINES

collect_ignore = [] if IN_CONTAINERS else ["operations"]
"""What an operator does with containers."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:  # the first starts the stack, in containers when all images are built
            item.add_marker(pytest.mark.timeout(900 if IN_CONTAINERS else 300))
    # A swarm that was left takes the engine's name service with it: containers that run find nobody any more.
    items.sort(key=lambda item: item.path.name == "test_swarm.py")


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
    """The address of a collector of spans, and (service, span) as the stack exports them. Not for containers."""
    with collector() as serving:
        yield serving


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack under test; `WEBCHAT_TARGET` names one that runs already.

    Its settings suit all stories: it exports spans, and gives up after a few seconds on an S3 that hangs.
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
    """Signs people up; closes their sockets in the end."""
    async with signing_up(stack.url) as sign_someone_up:
        yield sign_someone_up


@pytest.fixture
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One that nobody else uses."""
    with start(tmp_path_factory.mktemp("own")) as running:
        yield running
