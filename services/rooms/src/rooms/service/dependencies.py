"""The dependencies of the use cases."""

from dataclasses import dataclass

from rooms.domain.digests import DigestKeys
from rooms.service.pipeline.committer import Committer
from rooms.service.publication.publisher import Publisher
from rooms.service.publication.sweep import Sweeper
from rooms.service.queries.recent_messages import RecentMessagesCache
from rooms.service.queries.room_views import RoomViews
from rooms.settings import RoomsSettings
from shared.database.engine import Database
from shared.redis.client import AnyRedis
from shared.rpc.client import Peer


@dataclass(frozen=True)
class Dependencies:
    database: Database
    redis: AnyRedis
    publisher: Publisher
    sweeper: Sweeper
    committer: Committer
    views: RoomViews
    recent_messages: RecentMessagesCache
    auth: Peer
    media: Peer
    event_lifetime_ms: int


def create_dependencies(
    settings: RoomsSettings, database: Database, redis: AnyRedis, *, auth: Peer, media: Peer
) -> Dependencies:
    digest_keys = DigestKeys([key.get_secret_value() for key in settings.message_digest_keys])
    publisher = Publisher(database, redis, limit=settings.publish_queue)
    return Dependencies(
        database=database,
        redis=redis,
        publisher=publisher,
        sweeper=Sweeper(database, redis, publisher, pause_s=settings.sweep_s),
        committer=Committer(database, publisher, writers=settings.writers, digest_keys=digest_keys),
        views=RoomViews(database),
        recent_messages=RecentMessagesCache(),
        auth=auth,
        media=media,
        event_lifetime_ms=settings.event_lifetime_ms,
    )
