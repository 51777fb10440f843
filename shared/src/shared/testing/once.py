"""Fixtures for tests whose applications start once per module instead of once per test.

The conftest of such tests imports `database_env`, `redis_endpoint`, `redis` and `tag`, which replace the fixtures of
`shared.testing.fixtures` of the same names, and calls `share_loop`. All tests of a module then run on one event loop.
Its database and Redis are empty when the module begins; within the module, tests keep apart by names that contain
their `tag`. Marks such as `on_each_database` start the applications again for each of their parameters, on empty ones.
"""

import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import text

from shared.database.engine import Database
from shared.database.sqlite import SqliteEngine
from shared.redis.client import AnyRedis, close_redis, redis_at
from shared.testing.databases import services_of
from shared.testing.fixtures import endpoint_of, eventually, prepare_database

module_fixture = partial(pytest_asyncio.fixture, scope="module", loop_scope="module")
"""An asynchronous fixture of a module."""
function_fixture = partial(pytest_asyncio.fixture, loop_scope="module")
"""An asynchronous fixture of a test, on the loop of its module."""
_tags = itertools.count()


def share_loop(items: Iterable[pytest.Item], folder: Path) -> None:
    """Run the asynchronous tests below `folder` on the loop of their module: for `pytest_collection_modifyitems`."""
    for item in items:
        if item.path.is_relative_to(folder) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest.fixture
def tag() -> str:
    """Four characters for the names of this test, unique in this process."""
    return f"{next(_tags):04x}"


@pytest.fixture(scope="module")
def redis_endpoint(request: pytest.FixtureRequest) -> list[str]:
    """The setting REDIS_ENDPOINT: one Valkey, or a cluster of six."""
    return endpoint_of(request)


@module_fixture()
async def redis(
    redis_endpoint: list[str],
    database_env: dict[str, Any],  # noqa: ARG001 - a stream continues an outbox, so both are emptied together
) -> AsyncIterator[AnyRedis]:
    """A client of a Valkey or a cluster, emptied together with the database."""
    client = redis_at(redis_endpoint)
    await client.flushall()
    yield client
    await close_redis(client)


@pytest.fixture(scope="module")
def database_env(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, database_services: tuple[str, ...]
) -> dict[str, Any]:
    """Settings of databases with tables and, when the module begins, without rows."""
    services = {*services_of(request.path), *database_services}
    return prepare_database(request, getattr(request, "param", "sqlite"), services, tmp_path_factory.mktemp("data"))


def plain_client(url: str) -> httpx.AsyncClient:
    """Create a client of a local server without TLS, because loading the CA certificates takes 8 ms."""
    return httpx.AsyncClient(base_url=url, trust_env=False, verify=False, timeout=30)


async def readiness(app: FastAPI) -> dict[str, Any]:
    """Return the body of `/readyz`, whose status code must agree with it."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        answer = await client.get("/readyz")
    body: dict[str, Any] = answer.json()
    assert answer.status_code == (503 if body["missing"] else 200), body
    return body


async def wait_for_readiness(app: FastAPI, **expected: Any) -> None:
    """Wait until `/readyz` has these values. A check may fail for a moment on a busy machine."""

    async def says() -> bool:
        body = await readiness(app)
        assert body == expected
        return True

    await eventually(says)


async def check_readiness(app: FastAPI, database: Database) -> None:
    """Check that the readiness of a service on SQLite needs its schema and its database. Leaves both broken."""
    await wait_for_readiness(app, status="ready", missing=[])
    revision = text("UPDATE alembic_version SET version_num = :revision")
    async with database.write() as db:
        await db.execute(revision, {"revision": "0000"})
    await wait_for_readiness(app, status="waiting", missing=["schema"])
    assert isinstance(database.engine, SqliteEngine)
    async with AsyncExitStack() as stack:
        for _ in range(database.pool_size):  # takes all connections of the pool
            await stack.enter_async_context(database.read())
        database.engine.lock_timeout_s = 0.02
        await wait_for_readiness(app, status="waiting", missing=["database", "schema"])
