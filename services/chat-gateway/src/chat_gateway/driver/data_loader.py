"""Request coalescing: many concurrent lookups share a few calls to another service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")


class DataLoader(Generic[T]):
    """Combines lookups of single keys into batches.

    One call is in flight at a time, and keys requested meanwhile go into the next call. So a single lookup does not
    wait, and when hundreds of clients reconnect at once, the other services get few calls. A result is never older than
    its request: a call in flight does not answer keys that are requested later. `load_batch` gets at most `max_batch`
    keys.
    """

    def __init__(self, load_batch: Callable[[list[str]], Awaitable[Mapping[str, T]]], *, max_batch: int) -> None:
        self._load_batch, self._max_batch = load_batch, max_batch
        self._requested: dict[str, asyncio.Future[T | None]] = {}
        self._worker: asyncio.Task[None] | None = None

    async def load(self, key: str) -> T | None:
        """Return the value of a key, or None if `load_batch` does not return one. Raises what `load_batch` raises."""
        future = self._requested.setdefault(key, asyncio.get_running_loop().create_future())
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await asyncio.shield(future)

    async def _work(self) -> None:
        try:
            while self._requested:
                await self._load_next()
        finally:
            self._worker = None

    async def _load_next(self) -> None:
        futures = {key: self._requested.pop(key) for key in list(islice(self._requested, self._max_batch))}
        try:
            values = await self._load_batch(list(futures))
        except Exception as error:  # noqa: BLE001 - callers of `load` get it
            for future in futures.values():
                future.set_exception(error)
                future.exception()  # mark it as retrieved, because the callers may be gone
        else:
            for key, future in futures.items():
                future.set_result(values.get(key))
