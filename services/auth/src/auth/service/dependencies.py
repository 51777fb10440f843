"""The dependencies of the use cases."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pydantic import SecretStr

from auth.domain.accounts import SessionLifetime
from auth.service.device_cookies import DeviceCookies
from auth.service.hasher import Hasher, HashParameters
from auth.service.key_ring import KeyRing
from auth.service.session_loader import SessionLoader
from auth.service.throttle import Throttle
from auth.settings import AuthSettings
from shared.database.engine import Database
from shared.outbox.relay import Relay
from shared.redis.buckets import Buckets
from shared.redis.circuit_breaker import CircuitBreaker
from shared.redis.client import AnyRedis

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Dependencies:
    database: Database
    redis: CircuitBreaker
    relay: Relay
    sessions: SessionLoader
    throttle: Throttle
    devices: DeviceCookies
    hasher: Hasher
    keys: KeyRing
    session_lifetime: SessionLifetime
    host_cookie: bool
    """Name the session cookie `__Host-…` under TLS."""
    allowed_origins: Collection[str]
    operators: Collection[str]
    """WebChat IDs in canonical form."""
    log_key: SecretStr
    secret_of: Callable[[str], str]
    """Returns the secret with which a service requests tokens, or "" for an unknown service."""


def create_dependencies(settings: AuthSettings, database: Database, redis: AnyRedis, relay: Relay) -> Dependencies:
    breaker = CircuitBreaker(redis)
    lifetime = SessionLifetime(settings.session_lifetime_days * DAY_MS, settings.session_max_days * DAY_MS)
    return Dependencies(
        database=database,
        redis=breaker,
        relay=relay,
        sessions=SessionLoader(database, lifetime),
        throttle=Throttle(Buckets(breaker, "auth", on=settings.rate_limits)),
        devices=DeviceCookies(settings.session_secret_key.get_secret_value()),
        hasher=Hasher(
            HashParameters(
                time_cost=settings.argon2_time_cost,
                memory_kib=settings.argon2_memory_kib,
                parallelism=settings.argon2_parallelism,
                workers=settings.hash_workers,
                queue=settings.hash_queue,
                wait_s=settings.hash_patience_s,
            )
        ),
        keys=KeyRing(
            database,
            secret=settings.session_secret_key.get_secret_value(),
            rotation_days=settings.signing_key_days,
        ),
        session_lifetime=lifetime,
        host_cookie=settings.host_cookie,
        allowed_origins=settings.backend_cors_origins,
        operators={webchat_id.lower() for webchat_id in settings.operators},
        log_key=settings.log_key,
        secret_of=settings.secret_of,
    )
