"""The dependencies of the use cases."""

from dataclasses import dataclass

from rooms.service.pipeline.committer import Committer
from rooms.service.publication.publisher import Publisher
from rooms.service.publication.sweep import Sweeper
from rooms.service.queries.recent_messages import RecentMessagesCache
from rooms.service.queries.room_views import RoomViews
from rooms.settings import RoomsSettings
from shared.database.engine import Database
from shared.fair_workers import Workers
from shared.redis.client import AnyRedis
from shared.rpc.client import Peer

WAITING_SEARCHES = 8
"""Searches of one person that may wait. A person who types needs fewer."""


@dataclass(frozen=True)
class Dependencies:
    database: Database
    redis: AnyRedis
    publisher: Publisher
    sweeper: Sweeper
    committer: Committer
    views: RoomViews
    recent_messages: RecentMessagesCache
    searches: Workers
    auth: Peer
    media: Peer
    event_lifetime_ms: int


def create_dependencies(
    settings: RoomsSettings, database: Database, redis: AnyRedis, *, auth: Peer, media: Peer
) -> Dependencies:
    publisher = Publisher(database, redis, limit=settings.publish_queue)
    return Dependencies(
        database=database,
        redis=redis,
        publisher=publisher,
        sweeper=Sweeper(database, redis, publisher, pause_s=settings.sweep_s),
        committer=Committer(database, publisher, writers=settings.writers),
        views=RoomViews(database),
        recent_messages=RecentMessagesCache(),
        searches=_searches(database.pool_size),
        auth=auth,
        media=media,
        event_lifetime_ms=settings.event_lifetime_ms,
    )


def _searches(connections: int) -> Workers:
    """Let searches hold at most half of the connections, and those of one person one."""
    too_many = "Too many of your searches are waiting. Try again shortly."
    return Workers(max(1, connections // 2), of_one=1, waiting_of_one=WAITING_SEARCHES, too_many=too_many)
