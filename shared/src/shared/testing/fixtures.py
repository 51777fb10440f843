"""Fixtures of the services' tests: a real Valkey or a cluster, each data service's database on SQLite, MariaDB, MySQL.

The root conftest names this module in `pytest_plugins`; tests ask for `redis`, `redis_endpoint` and `database_env`.
Every worker of a test run has its own servers. MySQL is used if `TEST_MYSQL_URL` names one,
`mysql://root:password@host:port`. Other data on it is safe: each worker creates and drops its own schemas.
"""

import asyncio
import inspect
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, overload

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from sqlalchemy import URL, make_url

from shared.redis.client import AnyRedis, close_redis, redis_at, shard_of
from shared.testing import databases, servers

T = TypeVar("T")

_servers = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("mariadb", "mysql")]

on_each_database = pytest.mark.parametrize("database_env", ["sqlite", *_servers], indirect=True)
"""For tests of statements, locks and types, which differ between databases."""
on_servers = pytest.mark.parametrize("database_env", _servers, indirect=True)
"""For tests of several processes on one database; an SQLite file has one process."""
on_mysql = pytest.mark.parametrize("database_env", _servers[1:], indirect=True)
"""For tests of what only MySQL reports."""


@pytest.fixture(scope="session")
def valkey_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.valkey(tmp_path_factory.mktemp("valkey")) as port:
        yield port


@pytest.fixture(scope="session")
def valkey_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.ValkeyCluster]:
    with servers.valkey_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


on_both_engines = pytest.mark.parametrize("redis_endpoint", ["single", "cluster"], indirect=True)
"""For tests in which one server and a cluster could differ."""


@pytest.fixture
def redis_endpoint(request: pytest.FixtureRequest) -> list[str]:
    """The setting REDIS_ENDPOINT: one Valkey, or a cluster of six."""
    return endpoint_of(request)


def endpoint_of(request: pytest.FixtureRequest) -> list[str]:
    """Return the addresses that a fixture's parameter chooses: `single`, the default, or `cluster`."""
    if getattr(request, "param", "single") == "cluster":
        cluster: servers.ValkeyCluster = request.getfixturevalue("valkey_cluster")
        return cluster.endpoint
    return [f"127.0.0.1:{request.getfixturevalue('valkey_port')}"]


@pytest.fixture
async def redis(redis_endpoint: list[str]) -> AsyncIterator[AnyRedis]:
    """A client of an empty Valkey, or of an empty cluster."""
    client = redis_at(redis_endpoint)
    await client.flushall()
    yield client
    await close_redis(client)


@pytest.fixture(scope="session")
def mariadb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    if not servers.mariadb_is_here():
        pytest.skip("no MariaDB on this machine: apt-get install mariadb-server")
    with servers.mariadb(tmp_path_factory.mktemp("mariadb")) as port:
        yield URL.create("mysql", "root", "", "127.0.0.1", port)


@pytest.fixture(scope="session")
def sqlite_templates(tmp_path_factory: pytest.TempPathFactory) -> databases.SqliteTemplates:
    return databases.SqliteTemplates(tmp_path_factory.mktemp("templates"))


@pytest.fixture(scope="session")
def mariadb_schemas(mariadb_url: URL) -> databases.ServerSchemas:
    return databases.ServerSchemas(mariadb_url)


@pytest.fixture(scope="session")
def mysql_schemas() -> Iterator[databases.ServerSchemas]:
    schemas = databases.ServerSchemas(make_url(os.environ["TEST_MYSQL_URL"]))
    yield schemas
    schemas.drop()


@pytest.fixture(scope="session")
def database_services() -> tuple[str, ...]:
    """Other services whose databases `database_env` prepares too; tests override it."""
    return ()


@pytest.fixture
def database_env(
    request: pytest.FixtureRequest, tmp_path: Path, database_services: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Settings (as keyword arguments) of databases with tables and without rows, for the service under test.

    It is SQLite unless a mark selects others: `on_each_database`, `on_servers`, `on_mysql`. With the mark
    `empty_database` there are no tables either.
    """
    kind = getattr(request, "param", "sqlite")
    services = {*databases.services_of(request.path), *database_services}
    if request.node.get_closest_marker("empty_database") is None:
        yield prepare_database(request, kind, services, tmp_path)
    elif kind == "sqlite":
        yield {"webchat_data": tmp_path}
    else:
        schemas: databases.ServerSchemas = request.getfixturevalue(f"{kind}_schemas")
        with schemas.new(services) as name:
            yield {"webchat_data": tmp_path} | schemas.settings(name)


def prepare_database(
    request: pytest.FixtureRequest, kind: str, services: Collection[str], data: Path
) -> dict[str, Any]:
    """Return settings of databases with tables and without rows: SQLite in `data`, or the worker's schemas of a server.

    A worker has one schema per service on a server, which this empties.
    """
    if kind == "sqlite":
        templates: databases.SqliteTemplates = request.getfixturevalue("sqlite_templates")
        for service in services:
            templates.copy(service, data)
        return {"webchat_data": data}
    schemas: databases.ServerSchemas = request.getfixturevalue(f"{kind}_schemas")
    for service in services:
        schemas.empty(service)
    return {"webchat_data": data} | schemas.settings(schemas.name)


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.fields: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.fields.append(dict(record.__dict__.get("ecs", {})) | {"count": record.__dict__.get("count", 1)})


def _keeping(logger: str) -> Iterator[list[dict[str, Any]]]:
    log, keeper = logging.getLogger(logger), _Keeper()
    before = log.level
    log.addHandler(keeper)
    log.setLevel(logging.INFO)
    yield keeper.fields
    log.setLevel(before)
    log.removeHandler(keeper)


@pytest.fixture
def trail() -> Iterator[list[dict[str, Any]]]:
    """The records of the audit trail with ECS names; IDs are not yet replaced by pseudonyms."""
    yield from _keeping("audit")


@pytest.fixture
def spans() -> Iterator[list[dict[str, Any]]]:
    """The logged spans, in the order in which they end."""
    yield from _keeping("shared.tracing.spans")


@asynccontextmanager
async def subscription(redis: AnyRedis, channel: str) -> AsyncIterator[PubSub]:
    """Subscribe to a sharded channel on its server."""
    host, port = await shard_of(redis, channel)
    async with Redis(host=host, port=port) as client, client.pubsub() as pubsub:
        await pubsub.ssubscribe(channel)
        yield pubsub


@overload
async def eventually(check: Callable[[], Awaitable[T | None]], seconds: float = 10) -> T: ...


@overload
async def eventually(check: Callable[[], T | None], seconds: float = 10) -> T: ...


async def eventually(check: Callable[[], Any], seconds: float = 10) -> Any:
    """Call `check()` until its result is true, and return that. Raises its last AssertionError, or a new one."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        problem: AssertionError | None = None
        try:
            value = check()
            if inspect.isawaitable(value):
                value = await value
            if value:
                return value
        except AssertionError as error:
            problem = error
        if asyncio.get_running_loop().time() > deadline:
            raise problem or AssertionError(f"still {value!r} after {seconds} s")
        await asyncio.sleep(0.02)
