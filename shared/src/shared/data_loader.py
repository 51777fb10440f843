"""Request coalescing: many concurrent lookups share a few calls to another service."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

from shared.batcher import Batcher

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class DataLoader(Generic[K, T]):
    """Combines lookups of single keys into batches.

    One call is in flight at a time, and keys requested meanwhile go into the next call. So a single lookup does not
    wait, and when hundreds of clients reconnect at once, the other services get few calls. A result is never older than
    its request: a call in flight does not answer keys that are requested later. `load_batch` gets at most `max_batch`
    keys.
    """

    def __init__(self, load_batch: Callable[[list[K]], Awaitable[Mapping[K, T]]], *, max_batch: int) -> None:
        self._load_batch = load_batch
        self._requests = Batcher[K, asyncio.Future[T | None]](
            self._answer, limit=sys.maxsize, batch=max_batch, requeue=False
        )
        self._worker: asyncio.Task[None] | None = None

    async def load(self, key: K) -> T | None:
        """Return the value of a key, or None if `load_batch` does not return one. Raises what `load_batch` raises."""
        return await asyncio.shield(self.request(key))

    def request(self, key: K) -> "asyncio.Future[T | None]":
        """Like `load`, as a future that other callers may share: nobody may cancel it."""
        future = self._requests.get(key)
        if future is None:
            future = asyncio.get_running_loop().create_future()
            self._requests.add(key, future)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return future

    async def drain(self) -> None:
        """Wait until all requests are answered."""
        if self._worker is not None:
            await asyncio.wait([self._worker])

    async def _work(self) -> None:
        try:
            await self._requests.drain()
        finally:
            self._worker = None

    async def _answer(self, futures: dict[K, asyncio.Future[T | None]]) -> None:
        try:
            values = await self._load_batch(list(futures))
        except Exception as error:  # noqa: BLE001 - callers of `load` get it
            for future in futures.values():
                future.set_exception(error)
                future.exception()  # mark it as retrieved, because the callers may be gone
        else:
            for key, future in futures.items():
                future.set_result(values.get(key))
