"""The Redis client: a single server, or a cluster where `REDIS_ENDPOINT` names several. Every call has a timeout."""

from typing import TypeAlias

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from shared.service.settings import Settings

AnyRedis: TypeAlias = "Redis | RedisCluster"

REDIS_DOWN = (RedisError, OSError, TimeoutError)
"""What a Redis that is away, restarting or too slow raises."""


def connect_redis(settings: Settings, *, retries: int = 2) -> AnyRedis:
    """A client that connects at its first call; answers are bytes.

    A subscriber wants no retries: it must learn that its connection broke.
    """
    nodes = [endpoint.rpartition(":") for endpoint in settings.redis_endpoint]
    if len(nodes) > 1:
        return RedisCluster(
            startup_nodes=[ClusterNode(host, int(port)) for host, _, port in nodes],
            socket_timeout=2,
            socket_connect_timeout=2,
        )
    host, _, port = nodes[0]
    pool = BlockingConnectionPool(  # who finds all connections in use waits for one, at most as long as for an answer
        host=host,
        port=int(port),
        db=settings.redis_database,
        socket_timeout=2,
        socket_connect_timeout=2,
        max_connections=64,
        timeout=2,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), retries),
    )
    return Redis.from_pool(pool)
