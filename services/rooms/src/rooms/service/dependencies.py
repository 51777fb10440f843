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
from shared.fair_workers import Workers
from shared.rates import Rate
from shared.redis.buckets import Buckets
from shared.redis.circuit_breaker import CircuitBreaker
from shared.redis.client import AnyRedis
from shared.redis.person_rate import PersonRate
from shared.rpc.client import Peer

ROOMS_OF_ONE = Rate(burst=60, every_ms=30_000)
"""New rooms of one person: sixty at once, and 120 in an hour. Others are in them without being asked."""
TOO_MANY_ROOMS = "You opened more rooms than allowed. Try again later."
WAITING_READS, WAITING_SEARCHES, WAITING_OPENINGS = 64, 8, 64
"""Requests of one person that may wait. A person who opens the client, types, or opens rooms needs fewer."""
WAIT_S = 3.0
"""Seconds that they may wait."""


@dataclass(frozen=True)
class Dependencies:
    database: Database
    redis: AnyRedis
    publisher: Publisher
    sweeper: Sweeper
    committer: Committer
    views: RoomViews
    recent_messages: RecentMessagesCache
    reads: Workers
    """Reads of one person, except searches: at most half of the connections, and a quarter for one person."""
    searches: Workers
    """At most a quarter of the connections, and one for one person."""
    openings: Workers
    """Openings of rooms: as for searches."""
    opening_rate: PersonRate
    auth: Peer
    media: Peer
    event_lifetime_ms: int


def create_dependencies(
    settings: RoomsSettings, database: Database, redis: AnyRedis, *, auth: Peer, media: Peer
) -> Dependencies:
    digest_keys = DigestKeys([key.get_secret_value() for key in settings.message_digest_keys])
    connections = database.pool_size
    publisher = Publisher(database, redis, limit=settings.publish_queue)
    return Dependencies(
        database=database,
        redis=redis,
        publisher=publisher,
        sweeper=Sweeper(database, redis, publisher, pause_s=settings.sweep_s),
        committer=Committer(database, publisher, writers=settings.writers, digest_keys=digest_keys),
        views=RoomViews(database),
        recent_messages=RecentMessagesCache(),
        reads=_fair_workers(connections // 2, of_one=connections // 4, waiting=WAITING_READS),
        searches=_fair_workers(connections // 4, of_one=1, waiting=WAITING_SEARCHES),
        openings=_fair_workers(connections // 4, of_one=1, waiting=WAITING_OPENINGS),
        opening_rate=PersonRate(
            Buckets(CircuitBreaker(redis), "rooms", on=settings.rate_limits), ROOMS_OF_ONE, too_many=TOO_MANY_ROOMS
        ),
        auth=auth,
        media=media,
        event_lifetime_ms=settings.event_lifetime_ms,
    )


def _fair_workers(count: int, *, of_one: int, waiting: int) -> Workers:
    too_many = "Too many of your requests are waiting. Try again shortly."
    return Workers(max(1, count), of_one=max(1, of_one), waiting_of_one=waiting, wait_s=WAIT_S, too_many=too_many)
