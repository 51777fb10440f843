"""The Redis client: a single server, or a cluster where `REDIS_ENDPOINT` names several. Every call has a timeout.

Keys that one script touches share a hash tag, channels are sharded ones: the same calls work on both.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

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
"""What a Redis that is away, restarting, failing over or too slow raises."""

TIMEOUT_S = 2
LOOK_AGAIN_S = 0.2


T = TypeVar("T")

_ROUND_TRIPS = metrics.histogram(
    "webchat_redis_round_trip_seconds",
    "From asking Redis to its answer, of a command or a pipeline, the wait for a connection included.",
    ["kind"],
    buckets=metrics.SHORT_SECONDS,
)
_COMMAND, _PIPELINE = _ROUND_TRIPS.labels("command"), _ROUND_TRIPS.labels("pipeline")
_FAILURES = metrics.counter("webchat_redis_failures_total", "Commands and pipelines that Redis did not answer.")
WAITING_COMMANDS = {"XREADGROUP"}
"""Those that wait for something to happen: how long says nothing."""


async def _timed(answer: Awaitable[T], told: metrics.Histogram) -> T:
    started = time.perf_counter()
    try:
        return await answer
    except REDIS_DOWN as error:
        if not isinstance(error, ResponseError):  # which is an answer
            _FAILURES.inc()
        raise
    finally:
        told.observe(time.perf_counter() - started)


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
        return await (answer if args[0] in WAITING_COMMANDS else _timed(answer, _COMMAND))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _TimedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class Cluster(RedisCluster):
    """A cluster client that learns its nodes anew without cutting what is under way, and five times a second at most.

    redis-py closes all connections to all nodes when one of them fails; nodes that are well would suffer with it.
    """

    patience_s: float = 2 * TIMEOUT_S
    """How long a call waits for a look at the nodes: as long as two answers may take."""
    _looked_at = 0.0
    _look: "asyncio.Task[Any] | None" = None

    async def initialize(self, *args: Any, **kwargs: Any) -> "Cluster":
        """One look at a time, shared by all who wait; they give up after `patience_s`."""
        known = self.nodes_manager.default_node is not None
        if known and (not self._initialize or time.monotonic() - self._looked_at < LOOK_AGAIN_S):
            return self
        if self._look is None:
            self._initialize = True
            self._look = asyncio.create_task(super().initialize(*args, **kwargs))
            self._look.add_done_callback(self._looked)
        look = self._look
        if not (await asyncio.wait([look], timeout=self.patience_s))[0]:
            raise TimeoutError("the nodes of the cluster do not answer")
        look.result()
        return self

    def _looked(self, look: "asyncio.Task[Any]") -> None:
        self._looked_at, self._look = time.monotonic(), None
        if not look.cancelled():
            look.exception()  # who still waits is told

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        await self.initialize()  # else a first command goes to any node
        answer = super().execute_command(*args, **kwargs)
        return await (answer if args[0] in WAITING_COMMANDS else _timed(answer, _COMMAND))

    def pipeline(self, transaction: Any | None = None, shard_hint: Any | None = None) -> ClusterPipeline:
        del shard_hint  # no cluster takes one
        return _TimedClusterPipeline(self, transaction)  # type: ignore[abstract]

    def look_again(self) -> None:
        """The nodes may have other parts now: ask them, before the next command."""
        self._initialize = True

    async def aclose(self) -> None:
        """What redis-py calls where it wants to look again; `close_redis` closes."""
        self.look_again()

    async def shut(self) -> None:
        if self._look is not None:
            self._look.cancel()
            await asyncio.wait([self._look])
        self._initialize = False
        await super().aclose()


@dataclass(frozen=True)
class Access:
    """How a server lets its clients in. With TLS its certificate and name are verified: by the authorities that the
    system knows, and by `authorities`, in PEM.
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
    """A client that connects at its first call; answers are bytes. `close_redis` closes it."""
    password = settings.redis_password.get_secret_value() if settings.redis_password else None
    access = Access(settings.redis_username, password, settings.redis_tls, settings.redis_tls_ca)
    return redis_at(settings.redis_endpoint, settings.redis_database, access)


def redis_at(
    endpoints: Sequence[str], database: int = 0, access: Access = OPEN, *, timeout_s: float = TIMEOUT_S
) -> AnyRedis:
    """Return a client of a server at `host:port`, or of a cluster (which has one database) at several nodes of it.

    `timeout_s` bounds a connect, an answer, and the wait for a free connection, each.
    """
    nodes = [(host, int(port)) for host, _, port in (endpoint.rpartition(":") for endpoint in endpoints)]
    if len(nodes) > 1:
        cluster = Cluster(
            startup_nodes=[ClusterNode(host, port) for host, port in nodes],
            dynamic_startup_nodes=False,  # names stay, addresses of containers do not
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 1),  # after a look at the nodes
            max_connections=512,
            ssl=access.tls,
            **access.of_connections(),
        )
        cluster.patience_s = 2 * timeout_s
        return cluster
    host, port = nodes[0]
    pool = BlockingConnectionPool(  # who finds all connections in use waits for one, at most as long as for an answer
        host=host,
        port=port,
        db=database,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        max_connections=64,
        timeout=timeout_s,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 2),
        connection_class=SSLConnection if access.tls else Connection,
        **access.of_connections(),
    )
    return Single.from_pool(pool)


async def close_redis(redis: AnyRedis) -> None:
    await (redis.shut() if isinstance(redis, Cluster) else redis.aclose())


async def empty_redis(redis: AnyRedis) -> None:
    """Forget all keys of the database, on all primaries of a cluster."""
    if not isinstance(redis, RedisCluster):
        await redis.flushdb(asynchronous=True)
        return
    await redis.initialize()
    for node in redis.get_primaries():
        await redis.flushdb(asynchronous=True, target_nodes=node)


async def check_redis(redis: AnyRedis) -> None:
    """Raises while Redis is away altogether: a cluster without one of its nodes goes on with the others."""
    if not isinstance(redis, RedisCluster):
        await redis.ping()
        return
    await redis.initialize()
    pings = (redis.ping(target_nodes=node) for node in redis.get_primaries())
    failures = [one for one in await asyncio.gather(*pings, return_exceptions=True) if isinstance(one, BaseException)]
    if len(failures) == len(redis.get_primaries()):
        raise failures[0]


Address: TypeAlias = tuple[str, int]


async def shard_of(redis: AnyRedis, key: str) -> Address:
    """Which server answers for a key or a sharded channel, as far as is known."""
    if isinstance(redis, RedisCluster):
        await redis.initialize()
        node = redis.get_node_from_key(key)
        if node is None:
            raise RedisClusterException(f"no node for {key}")
        return node.host, int(node.port)
    options = redis.connection_pool.connection_kwargs
    return options["host"], options["port"]


def primaries_of(redis: AnyRedis) -> set[Address] | None:
    """The servers that keys may be on; None where there is but one."""
    return {(node.host, int(node.port)) for node in redis.get_primaries()} if isinstance(redis, RedisCluster) else None


def access_of(redis: AnyRedis) -> Access:
    """How a client of `redis_at` is let in."""
    if isinstance(redis, RedisCluster):
        options: dict[str, Any] = redis.get_connection_kwargs()
        kind: type = options["connection_class"]
    else:
        options, kind = redis.connection_pool.connection_kwargs, redis.connection_pool.connection_class
    tls = issubclass(kind, SSLConnection)
    return Access(options["username"], options["password"], tls, options.get("ssl_ca_data"))


def listening_client(address: Address, access: Access = OPEN) -> "Redis":
    """For subscriptions: no retries, for its user must learn that the connection broke."""
    host, port = address
    return Redis(
        host=host,
        port=port,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        ssl=access.tls,
        **access.of_connections(),
    )


class Script:
    """A script of the server, kept beside the module that calls it; its first key says where it runs."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text()
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, redis: AnyRedis, keys: Sequence[str], *arguments: Any) -> Any:
        return (await self.run_all(redis, [(keys, arguments)]))[0]

    async def run_all(self, redis: AnyRedis, calls: Iterable[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
        """Pipeline the calls, by hash; those that met a server without the script (a new primary) go again in full."""
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
    """The answers, errors of the server among them."""
    pipeline = redis.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    answers: list[Any] = await pipeline.execute(raise_on_error=False)
    return answers
