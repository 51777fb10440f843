"""The Redis client: of a single server, or of a cluster if `REDIS_ENDPOINT` names several. Every call has a timeout.

The keys of a script share a hash tag, and channels are sharded, so the same calls work on both.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

import hiredis
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import ClusterNode, ClusterPipeline, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import NoScriptError, RedisClusterException, RedisError, ResponseError

from shared import metrics
from shared.settings import Settings

AnyRedis: TypeAlias = "Redis | RedisCluster"

REDIS_DOWN = (RedisError, RedisClusterException, OSError, TimeoutError)
"""Errors of a Redis that is unreachable, restarting, failing over or too slow."""

TIMEOUT_S = 2
DISCOVERY_PAUSE_S = 0.2


T = TypeVar("T")

_ROUND_TRIPS = metrics.histogram(
    "webchat_redis_round_trip_seconds",
    "Time from a command or pipeline to its answer, including the wait for a connection.",
    ["kind"],
    buckets=metrics.SHORT_SECONDS,
)
_COMMAND, _PIPELINE = _ROUND_TRIPS.labels("command"), _ROUND_TRIPS.labels("pipeline")
_FAILURES = metrics.counter("webchat_redis_failures_total", "Commands and pipelines that Redis did not answer.")
BLOCKING_COMMANDS = {"XREADGROUP"}
"""Blocking commands, whose duration means nothing."""


async def _timed(answer: Awaitable[T], durations: metrics.Histogram) -> T:
    started = time.perf_counter()
    try:
        return await answer
    except REDIS_DOWN as error:
        if not isinstance(error, ResponseError):  # these are answers
            _FAILURES.inc()
        raise
    finally:
        durations.observe(time.perf_counter() - started)


class _PackedByHiredis:
    """A mixin of connections to a single server: hiredis packs commands, in a fifth of the time of redis-py."""

    def pack_command(self, *args: Any) -> list[bytes]:
        try:
            if " " not in args[0]:  # otherwise the name is split into several arguments
                return [hiredis.pack_command(args)]
        except TypeError:  # an argument that only redis-py can convert
            pass
        packed: list[bytes] = super().pack_command(*args)  # type: ignore[misc]
        return packed


class _Connection(_PackedByHiredis, Connection):
    pass


class _TlsConnection(_PackedByHiredis, SSLConnection):
    pass


class _TimedPipeline(Pipeline):
    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        return await _timed(super().execute(raise_on_error), _PIPELINE)


class _TimedClusterPipeline(ClusterPipeline):
    async def execute(self, raise_on_error: bool = True, allow_redirections: bool = True) -> list[Any]:
        return await _timed(super().execute(raise_on_error, allow_redirections), _PIPELINE)


class Single(Redis):
    """A client of one server."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        answer = super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        return await (answer if args[0] in BLOCKING_COMMANDS else _timed(answer, _COMMAND))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _TimedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class Cluster(RedisCluster):
    """A cluster client that rediscovers nodes without closing connections in use, at most five times a second.

    redis-py itself closes the connections to all nodes when one node fails, which breaks calls to healthy nodes.
    """

    discovery_timeout_s: float = 2 * TIMEOUT_S
    """The time that a call waits for a discovery, which takes up to two answers."""
    _discovered_at = 0.0
    _discovery: "asyncio.Task[Any] | None" = None

    async def initialize(self, *args: Any, **kwargs: Any) -> "Cluster":
        """Discover the nodes. Concurrent callers share one discovery and give up after `discovery_timeout_s`."""
        known = self.nodes_manager.default_node is not None
        if known and (not self._initialize or time.monotonic() - self._discovered_at < DISCOVERY_PAUSE_S):
            return self
        if self._discovery is None:
            self._initialize = True
            self._discovery = asyncio.create_task(super().initialize(*args, **kwargs))
            self._discovery.add_done_callback(self._on_discovered)
        discovery = self._discovery
        if not (await asyncio.wait([discovery], timeout=self.discovery_timeout_s))[0]:
            raise TimeoutError("the nodes of the cluster do not answer")
        discovery.result()
        return self

    def _on_discovered(self, discovery: "asyncio.Task[Any]") -> None:
        self._discovered_at, self._discovery = time.monotonic(), None
        if not discovery.cancelled():
            discovery.exception()  # mark it as retrieved; callers that still wait get it from the task

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        await self.initialize()  # otherwise the first command would go to any node
        answer = super().execute_command(*args, **kwargs)
        return await (answer if args[0] in BLOCKING_COMMANDS else _timed(answer, _COMMAND))

    def pipeline(self, transaction: Any | None = None, shard_hint: Any | None = None) -> ClusterPipeline:
        del shard_hint  # a cluster has none
        return _TimedClusterPipeline(self, transaction)  # type: ignore[abstract]

    def rediscover(self) -> None:
        """Discover the nodes before the next command, because slots may have moved."""
        self._initialize = True

    async def aclose(self) -> None:
        """Rediscover the nodes: redis-py calls this for that purpose. `close_redis` closes the client."""
        self.rediscover()

    async def close_for_good(self) -> None:
        if self._discovery is not None:
            self._discovery.cancel()
            await asyncio.wait([self._discovery])
        self._initialize = False
        await super().aclose()


@dataclass(frozen=True)
class Access:
    """Credentials and TLS of connections.

    TLS verifies certificate and name against the system's authorities and `authorities`, in PEM.
    """

    username: str | None = None
    password: str | None = None
    tls: bool = False
    authorities: str | None = None

    def of_connections(self) -> dict[str, Any]:
        verified = {"ssl_ca_data": self.authorities, "ssl_check_hostname": True} if self.tls else {}
        return {"username": self.username, "password": self.password} | verified


OPEN = Access()


def connect_redis(settings: Settings) -> AnyRedis:
    """Return a client that connects at its first call. Answers are bytes. `close_redis` closes it."""
    password = settings.redis_password.get_secret_value() if settings.redis_password else None
    access = Access(settings.redis_username, password, settings.redis_tls, settings.redis_tls_ca)
    return redis_at(settings.redis_endpoint, settings.redis_database, access)


def redis_at(
    endpoints: Sequence[str], database: int = 0, access: Access = OPEN, *, timeout_s: float = TIMEOUT_S
) -> AnyRedis:
    """Return a client of a server at `host:port`, or of a cluster (which has one database) with these nodes.

    `timeout_s` limits each connect, each answer, and each wait for a free connection.
    """
    nodes = [(host, int(port)) for host, _, port in (endpoint.rpartition(":") for endpoint in endpoints)]
    if len(nodes) > 1:
        cluster = Cluster(
            startup_nodes=[ClusterNode(host, port) for host, port in nodes],
            dynamic_startup_nodes=False,  # the names of containers are stable, their addresses are not
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 1),  # after a discovery
            max_connections=512,
            ssl=access.tls,
            **access.of_connections(),
        )
        cluster.discovery_timeout_s = 2 * timeout_s
        return cluster
    host, port = nodes[0]
    pool = BlockingConnectionPool(  # if all connections are in use, calls wait for one
        host=host,
        port=port,
        db=database,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        max_connections=64,
        timeout=timeout_s,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 2),
        connection_class=_TlsConnection if access.tls else _Connection,
        **access.of_connections(),
    )
    return Single.from_pool(pool)


async def close_redis(redis: AnyRedis) -> None:
    await (redis.close_for_good() if isinstance(redis, Cluster) else redis.aclose())


async def empty_redis(redis: AnyRedis) -> None:
    """Delete all keys of the database, on all primaries of a cluster."""
    if not isinstance(redis, RedisCluster):
        await redis.flushdb(asynchronous=True)
        return
    await redis.initialize()
    for node in redis.get_primaries():
        await redis.flushdb(asynchronous=True, target_nodes=node)


async def check_redis(redis: AnyRedis) -> None:
    """Raise if Redis is unreachable. A cluster counts as reachable while any of its primaries answers."""
    if not isinstance(redis, RedisCluster):
        await redis.ping()
        return
    await redis.initialize()
    pings = (redis.ping(target_nodes=node) for node in redis.get_primaries())
    failures = [one for one in await asyncio.gather(*pings, return_exceptions=True) if isinstance(one, BaseException)]
    if len(failures) == len(redis.get_primaries()):
        raise failures[0]


class Primaries(NamedTuple):
    """The servers that answer for the keys. Another `ids` means that acknowledged writes may be lost.

    `ids` differ after a restart, after a failover, and after slots moved to another primary. Commands that empty a
    server leave them as they are.
    """

    ids: frozenset[str]
    time_ms: int
    """The lowest of the servers' clocks."""


async def identify_primaries(redis: AnyRedis) -> Primaries:
    """Ask the server, or all primaries of a cluster. Raises one of `REDIS_DOWN` if any of them does not answer."""
    if isinstance(redis, RedisCluster):
        await redis.initialize()
        nodes = redis.get_primaries()
        found = [await redis.info("server", "replication", target_nodes=node) for node in nodes]
    else:
        found = [await redis.info("server", "replication")]
    ids = frozenset(f"{one.get('run_id')} {one.get('master_replid')}" for one in found)
    here = time.time_ns() // 1000  # a managed service may hide fields
    return Primaries(ids, min(one.get("server_time_usec", here) for one in found) // 1000)


Address: TypeAlias = tuple[str, int]


async def shard_of(redis: AnyRedis, key: str) -> Address:
    """Return the server of a key or a sharded channel, as far as the client knows."""
    if isinstance(redis, RedisCluster):
        await redis.initialize()
        node = redis.get_node_from_key(key)
        if node is None:
            raise RedisClusterException(f"no node for {key}")
        return node.host, int(node.port)
    options = redis.connection_pool.connection_kwargs
    return options["host"], options["port"]


def primaries_of(redis: AnyRedis) -> set[Address] | None:
    """Return the primaries of a cluster, or None for a single server."""
    return {(node.host, int(node.port)) for node in redis.get_primaries()} if isinstance(redis, RedisCluster) else None


def access_of(redis: AnyRedis) -> Access:
    """Return the access of a client from `redis_at`."""
    if isinstance(redis, RedisCluster):
        options: dict[str, Any] = redis.get_connection_kwargs()
        kind: type = options["connection_class"]
    else:
        options, kind = redis.connection_pool.connection_kwargs, redis.connection_pool.connection_class
    tls = issubclass(kind, SSLConnection)
    return Access(options["username"], options["password"], tls, options.get("ssl_ca_data"))


class Script:
    """A Lua script that runs on the server of its first key."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text()
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, redis: AnyRedis, keys: Sequence[str], *arguments: Any) -> Any:
        return (await self.run_all(redis, [(keys, arguments)]))[0]

    async def run_all(self, redis: AnyRedis, calls: Iterable[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
        """Pipeline the calls by hash. Repeat calls in full if the server, such as a new primary, lacks the script."""
        tails = [(len(keys), *keys, *arguments) for keys, arguments in calls]
        answers = await _pipelined(redis, [("EVALSHA", self.sha, *tail) for tail in tails])
        unknown = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            again = await _pipelined(redis, [("EVAL", self.text, *tails[index]) for index in unknown])
            for index, answer in zip(unknown, again, strict=True):
                answers[index] = answer
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers


async def _pipelined(redis: AnyRedis, commands: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Return the answers. Errors of the server are among them."""
    pipeline = redis.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    answers: list[Any] = await pipeline.execute(raise_on_error=False)
    return answers
