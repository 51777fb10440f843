"""Collect items while one batch is handled, then handle everything that came meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Batcher(Generic[K, V]):
    """A bounded collection of items by key, handled in batches, one batch at a time, oldest first.

    An item replaces a waiting one with the same key. `handle` gets at most `batch` items. If it fails or is cancelled,
    the items wait again, in their old place, unless `requeue` is off; a newer item of the same key is kept instead.
    At most `limit` items wait, and for a moment after a failure a batch more.
    """

    def __init__(
        self,
        handle: Callable[[dict[K, V]], Awaitable[None]],
        *,
        limit: int,
        batch: int | None = None,
        requeue: bool = True,
    ) -> None:
        self._handle, self._limit, self._batch, self._requeue = handle, limit, batch, requeue
        self._waiting: dict[K, V] = {}
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[K]:
        """Iterate over the keys of the waiting items, oldest first."""
        return iter(self._waiting)

    def add(self, key: K, value: V) -> bool:
        """Let an item wait for the next batch. Returns False if too many wait already; the item is dropped."""
        if key not in self._waiting and len(self._waiting) >= self._limit:
            return False
        self._waiting[key] = value
        self._filled.set()
        return True

    def get(self, key: K) -> V | None:
        """Return the waiting item of a key, or None."""
        return self._waiting.get(key)

    async def run(self) -> None:
        """Handle one batch, as soon as there is an item. Raises what `handle` raises."""
        await self._filled.wait()
        taken = {key: self._waiting.pop(key) for key in list(islice(self._waiting, self._batch))}
        if not self._waiting:
            self._filled.clear()
        try:
            await self._handle(taken)
        except BaseException:
            if self._requeue and taken:
                self._waiting = taken | self._waiting
                self._filled.set()
            raise

    async def drain(self) -> None:
        """Handle batches until nothing waits. Raises what `handle` raises."""
        while self._waiting:
            await self.run()
