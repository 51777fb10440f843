"""Fixtures of the services' tests: a real Valkey or a cluster, each data service's database on SQLite, MariaDB, MySQL.

The root conftest names this module in `pytest_plugins`; tests ask for `redis`, `redis_endpoint` and `database_env`.
MySQL takes part where `TEST_MYSQL_URL` names one: `mysql://root:password@host:port`. It may hold anything else: each
test makes schemas of its own, and drops them.
"""

import asyncio
import inspect
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
from redis.asyncio.client import PubSub
from sqlalchemy import URL, make_url

from shared.service.redis import AnyRedis, close_redis, listening_client, redis_at, shard_of
from shared.testing import servers

_servers = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("mariadb", "mysql")]

on_servers = pytest.mark.parametrize("database_env", _servers, indirect=True)
"""For what several processes do to one database: an SQLite file has one."""
on_mysql = pytest.mark.parametrize("database_env", _servers[1:], indirect=True)
"""For what MySQL alone tells."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a MySQL where none is named."""
    if "TEST_MYSQL_URL" not in os.environ:
        without = [item for item in items if item.get_closest_marker("mysql")]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if not item.get_closest_marker("mysql")]


@pytest.fixture(scope="session")
def valkey_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.valkey(tmp_path_factory.mktemp("valkey")) as port:
        yield port


@pytest.fixture(scope="session")
def valkey_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.ValkeyCluster]:
    with servers.valkey_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


on_both_engines = pytest.mark.parametrize("redis_endpoint", ["single", "cluster"], indirect=True)
"""For what could differ between one server and a cluster."""


@pytest.fixture
def redis_endpoint(request: pytest.FixtureRequest) -> list[str]:
    """The setting of that name: one Valkey, or a cluster of six."""
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
def mysql_url() -> URL:
    return make_url(os.environ["TEST_MYSQL_URL"])


@pytest.fixture(params=["sqlite", *_servers])
def database_env(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Settings (as keyword arguments) of a new, empty database: SQLite in `tmp_path`, or schemas of a server."""
    if request.param == "sqlite":
        yield {"webchat_data": tmp_path}
        return
    url: URL = request.getfixturevalue(f"{request.param}_url")
    name, user, password = f"t{secrets.token_hex(4)}", url.username or "root", url.password or ""
    host, port = url.host or "127.0.0.1", url.port or 3306
    with (
        pymysql.connect(host=host, port=port, user=user, password=password) as connection,
        connection.cursor() as cursor,
    ):
        schemas = [f"{name}_{service}" for service in ("auth", "social", "rooms", "media")]
        for schema in schemas:
            cursor.execute(f"CREATE DATABASE {schema}")
        yield {
            "webchat_data": tmp_path, "db_host": host, "db_port": port, "db_name": name,
            "db_username": user, "db_password": password,
        }  # fmt: skip
        connection.ping()
        for schema in schemas:
            cursor.execute(f"DROP DATABASE {schema}")


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(dict(record.__dict__.get("ecs", {})) | {"count": record.__dict__.get("count", 1)})


def _keeping(logger: str) -> Iterator[list[dict[str, Any]]]:
    log, keeper = logging.getLogger(logger), _Keeper()
    before = log.level
    log.addHandler(keeper)
    log.setLevel(logging.INFO)
    yield keeper.told
    log.setLevel(before)
    log.removeHandler(keeper)


@pytest.fixture
def trail() -> Iterator[list[dict[str, Any]]]:
    """What is said to the audit trail, by names of ECS; ids are still plain."""
    yield from _keeping("audit")


@pytest.fixture
def spans() -> Iterator[list[dict[str, Any]]]:
    """The spans that are written down, in the order in which they end."""
    yield from _keeping("shared.service.tracing")


@asynccontextmanager
async def subscription(redis: AnyRedis, channel: str) -> AsyncIterator[PubSub]:
    """A subscription to a sharded channel, on the server that has it."""
    async with listening_client(await shard_of(redis, channel)) as client, client.pubsub() as pubsub:
        await pubsub.ssubscribe(channel)
        yield pubsub


async def eventually(check: Callable[[], Any], seconds: float = 10) -> Any:
    """Await `check()` until it returns something true; raises the last AssertionError, or one of its own."""
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
