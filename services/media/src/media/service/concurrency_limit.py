"""A limit on concurrent requests that rejects instead of queueing."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import Unavailable


class ConcurrencyLimit:
    def __init__(self, slots: int) -> None:
        self._free = slots

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Occupy a slot while the block runs; raises Unavailable if none is free."""
        if self._free == 0:
            raise Unavailable("Too many uploads are in progress. Try again shortly.", retry_after=2)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
