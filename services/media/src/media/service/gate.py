"""A bound on what goes on at once: who finds no place is told to come back, and nothing queues."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import Unavailable


class Gate:
    def __init__(self, places: int) -> None:
        self._free = places

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place while the block runs; raises Unavailable where there is none."""
        if self._free == 0:
            raise Unavailable("Too much is being uploaded. Try again shortly.", retry_after=2)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
