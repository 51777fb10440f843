"""The circuit breaker, in front of a Redis that hangs, is unavailable, or answers with errors."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ResponseError

from shared.redis import circuit_breaker
from shared.redis.circuit_breaker import CircuitBreaker, RedisAwayError
from shared.redis.client import REDIS_DOWN, AnyRedis, close_redis, redis_at
from shared.testing.fixtures import eventually
from shared.testing.forwarding import Forwarder, forwarding

pytestmark = pytest.mark.usefixtures("redis")


@pytest.fixture
async def forwarder(redis_endpoint: list[str]) -> AsyncIterator[Forwarder]:
    async with forwarding(int(redis_endpoint[0].rpartition(":")[2])) as forwarder:
        yield forwarder
        forwarder.resume()


@pytest.fixture
async def breaker(forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CircuitBreaker]:
    monkeypatch.setattr(circuit_breaker, "PAUSE_S", 0.02)
    monkeypatch.setattr(circuit_breaker, "REDIS_S", 0.2)
    redis = redis_at([f"127.0.0.1:{forwarder.port}"])
    yield CircuitBreaker(redis)
    await close_redis(redis)


async def ping(redis: AnyRedis) -> bool:
    return bool(await redis.ping())


async def test_while_redis_hangs_only_the_first_calls_wait(breaker: CircuitBreaker, forwarder: Forwarder):
    assert await breaker.call(ping)
    forwarder.hang()
    first = await asyncio.gather(*(breaker.run(ping) for _ in range(100)), return_exceptions=True)
    assert {isinstance(one, REDIS_DOWN) for one in first} == {True}
    for _ in range(100):  # some of them start a probe
        with pytest.raises(RedisAwayError):
            await breaker.run(_fail)
        await asyncio.sleep(0.001)
    assert await breaker.call(_fail) is None
    forwarder.resume()
    await eventually(lambda: breaker.call(ping))


async def _fail(_: AnyRedis) -> None:
    pytest.fail("Redis was called")


async def test_a_redis_that_is_away_is_called_again_when_it_is_back(breaker: CircuitBreaker, forwarder: Forwarder):
    forwarder.close()
    assert await breaker.call(ping) is None
    await forwarder.open()
    await eventually(lambda: breaker.call(ping))


async def test_an_error_that_redis_answers_opens_nothing(breaker: CircuitBreaker):
    async def wrong(redis: AnyRedis) -> None:
        await redis.execute_command("NO-SUCH-COMMAND")

    with pytest.raises(ResponseError):
        await breaker.run(wrong)
    assert await breaker.call(ping)
