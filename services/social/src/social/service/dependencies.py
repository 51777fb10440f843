"""The dependencies of the use cases."""

from dataclasses import dataclass

from shared.database.engine import Database
from shared.outbox.relay import Relay
from shared.redis.client import AnyRedis
from shared.rpc.client import Peer


@dataclass(frozen=True)
class Dependencies:
    database: Database
    redis: AnyRedis
    relay: Relay
    auth: Peer
    media: Peer
