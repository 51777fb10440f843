"""The dependencies of the use cases."""

from dataclasses import dataclass

from shared.database.engine import Database
from shared.outbox.relay import Relay
from shared.redis.circuit_breaker import CircuitBreaker
from shared.rpc.client import Peer


@dataclass(frozen=True)
class Dependencies:
    database: Database
    redis: CircuitBreaker
    relay: Relay
    auth: Peer
    media: Peer
