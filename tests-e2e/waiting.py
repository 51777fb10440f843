"""Waiting as the stories do it: a whole stack and often a browser share two cores, so limits are generous."""

from collections.abc import Callable
from typing import Any

from shared.testing import fixtures

PATIENCE_S = 30


async def eventually(check: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """Await `check()` until it returns something true; raises the last AssertionError, or one of its own."""
    return await fixtures.eventually(check, seconds)
