"""One embedded stack for all stories that leave it in order; those that break it start their own."""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from people import Person, signing_up
from stack import Stack, embedded


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack under test; `WEBCHAT_TARGET` names one that runs already."""
    target = os.environ.get("WEBCHAT_TARGET")
    if target is not None:
        yield Stack(target, Path())
        return
    with embedded(tmp_path_factory.mktemp("e2e")) as running:
        yield running


@pytest.fixture
async def someone(stack: Stack) -> AsyncIterator[Callable[[str], Awaitable[Person]]]:
    """Signs people up; closes their sockets in the end."""
    async with signing_up(stack.url) as sign_someone_up:
        yield sign_someone_up
