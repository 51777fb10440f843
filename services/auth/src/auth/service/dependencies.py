"""The dependencies of the use cases."""

from dataclasses import dataclass

from auth.service.hasher import Hasher
from auth.service.key_ring import KeyRing
from auth.service.throttle import Throttle
from auth.settings import AuthSettings
from auth.storage.buckets import Buckets
from auth.storage.circuit_breaker import CircuitBreaker
from auth.storage.session_cache import SessionCache
from shared.database.engine import Database
from shared.outbox.relay import Relay
from shared.redis.client import AnyRedis


@dataclass(frozen=True)
class Dependencies:
    settings: AuthSettings
    database: Database
    redis: AnyRedis
    relay: Relay
    cache: SessionCache
    throttle: Throttle
    hasher: Hasher
    keys: KeyRing


def create_dependencies(settings: AuthSettings, database: Database, redis: AnyRedis, relay: Relay) -> Dependencies:
    breaker = CircuitBreaker(redis)
    return Dependencies(
        settings=settings,
        database=database,
        redis=redis,
        relay=relay,
        cache=SessionCache(breaker),
        throttle=Throttle(Buckets(breaker), on=settings.rate_limits),
        hasher=Hasher(settings),
        keys=KeyRing(database, settings),
    )
