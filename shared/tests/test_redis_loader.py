"""Request coalescing for Redis, with one server and a cluster."""

import asyncio

import pytest

from shared.redis.client import AnyRedis, shard_of
from shared.redis.loader import RedisLoader
from shared.testing.fixtures import on_both_engines

KEYS = [f"k{number}" for number in range(30)]


class Values:
    """Loads the values of keys. Batches that contain `lost` fail."""

    def __init__(self, redis: AnyRedis) -> None:
        self.redis, self.lost = redis, ""
        self.batches: list[list[str]] = []
        self.loader = RedisLoader(redis, lambda key: key, self._load, max_batch=8)

    async def _load(self, keys: list[str]) -> dict[str, int]:
        self.batches.append(keys)
        await asyncio.sleep(0)
        if self.lost in keys:
            raise ConnectionError(self.lost)
        return {key: int(key[1:]) for key in keys if key != "k7"}


@on_both_engines
async def test_lookups_share_batches_of_one_server(redis: AnyRedis):
    values = Values(redis)
    single, together = await asyncio.gather(values.loader.load("k3"), values.loader.load_all(KEYS))
    assert (single, together) == (3, {key: int(key[1:]) for key in KEYS if key != "k7"})
    assert sorted(key for batch in values.batches for key in batch) == sorted(KEYS)
    for batch in values.batches:
        assert len(batch) <= 8
        assert len({await shard_of(redis, key) for key in batch}) == 1


@pytest.mark.parametrize("redis_endpoint", ["cluster"], indirect=True)
async def test_a_lost_server_fails_only_lookups_of_its_keys(redis: AnyRedis):
    values = Values(redis)
    values.lost = "k0"
    lost = await shard_of(redis, "k0")
    others = [key for key in KEYS if await shard_of(redis, key) != lost]
    with pytest.raises(ConnectionError):
        await values.loader.load_all(KEYS)
    failing, rest = await asyncio.gather(
        values.loader.load("k0"), values.loader.load_all(others), return_exceptions=True
    )
    assert isinstance(failing, ConnectionError)
    assert rest == {key: int(key[1:]) for key in others if key != "k7"}
