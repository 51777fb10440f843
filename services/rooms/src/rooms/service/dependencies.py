"""What the use cases of one process work with, made once by `main`."""

from dataclasses import dataclass

from rooms.service.pipeline.committer import Committer
from rooms.service.publication.publisher import Publisher
from rooms.settings import RoomsSettings
from shared.database.engine import Database
from shared.redis.client import AnyRedis
from shared.rpc.client import Peer


@dataclass(frozen=True)
class Dependencies:
    settings: RoomsSettings
    database: Database
    redis: AnyRedis
    publisher: Publisher
    committer: Committer
    auth: Peer
    media: Peer
