"""Request coalescing for Redis: many concurrent lookups share a few round trips to each server."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

from shared.data_loader import DataLoader
from shared.redis.client import Address, AnyRedis, Cluster, shard_of

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class RedisLoader(Generic[K, T]):
    """A `DataLoader` for each server, so that a lost server fails or delays only lookups of keys that it has.

    `redis_key_of` returns the key in Redis that a lookup needs.
    """

    def __init__(
        self,
        redis: AnyRedis,
        redis_key_of: Callable[[K], str],
        load_batch: Callable[[list[K]], Awaitable[Mapping[K, T]]],
        *,
        max_batch: int,
    ) -> None:
        self._redis, self._redis_key_of = redis, redis_key_of
        self._load_batch, self._max_batch = load_batch, max_batch
        self._loaders: dict[Address | None, DataLoader[K, T]] = {}
        """Bounded by the servers of the cluster."""

    async def load(self, key: K) -> T | None:
        """Return the value of a key, or None if `load_batch` does not return one. Raises what `load_batch` raises."""
        return await (await self._loader_of(key)).load(key)

    async def load_all(self, keys: Collection[K]) -> dict[K, T]:
        """Return the values of the keys that have one. Raises what `load_batch` raises for any of them."""
        futures = {key: (await self._loader_of(key)).request(key) for key in keys}
        if futures:
            await asyncio.wait(futures.values())
        return {key: value for key, future in futures.items() if (value := future.result()) is not None}

    async def drain(self) -> None:
        """Wait until all lookups are answered."""
        for loader in self._loaders.values():
            await loader.drain()

    async def _loader_of(self, key: K) -> DataLoader[K, T]:
        address = await shard_of(self._redis, self._redis_key_of(key)) if isinstance(self._redis, Cluster) else None
        if address not in self._loaders:
            self._loaders[address] = DataLoader(self._load_batch, max_batch=self._max_batch)
        return self._loaders[address]
