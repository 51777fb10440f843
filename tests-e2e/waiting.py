"""Waiting for conditions. The limits are generous, because a whole stack and often a browser share two cores."""

from collections.abc import Callable
from typing import Any

from shared.testing import fixtures

PATIENCE_S = 30


async def eventually(check: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """Call `check()` until its result is true. Raises its last AssertionError, or a new one."""
    return await fixtures.eventually(check, seconds)
