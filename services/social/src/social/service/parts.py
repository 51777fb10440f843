"""What the use cases of one process work with, made once by `main`."""

from dataclasses import dataclass

from shared.outbox.relay import Relay
from shared.service.database import Database
from shared.service.http import Peer
from shared.service.redis import AnyRedis


@dataclass(frozen=True)
class Parts:
    database: Database
    redis: AnyRedis
    relay: Relay
    auth: Peer
    media: Peer
