"""Fixtures of the services' tests: a real Valkey, and each data service's database on SQLite and on MariaDB.

The root conftest names this module in `pytest_plugins`; tests ask for `redis`, `valkey_port` and `database_env`.
"""

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from redis.asyncio import Redis

from shared.testing import servers

_schemas = itertools.count(1)

on_mariadb = pytest.mark.parametrize(
    "database_env", [pytest.param("mariadb", marks=pytest.mark.mariadb)], indirect=True
)
"""For what several processes do to one database: an SQLite file has one."""


@pytest.fixture(scope="session")
def valkey_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with servers.valkey(tmp_path_factory.mktemp("valkey")) as port:
        yield port


@pytest.fixture
async def redis(valkey_port: int) -> AsyncIterator[Redis]:
    """A client of an empty Valkey."""
    async with Redis(host="127.0.0.1", port=valkey_port) as client:
        await client.flushall()
        yield client


@pytest.fixture(scope="session")
def mariadb_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    if not servers.mariadb_is_here():
        pytest.skip("no MariaDB on this machine: apt-get install mariadb-server")
    with servers.mariadb(tmp_path_factory.mktemp("mariadb")) as port:
        yield port


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def database_env(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Settings (as keyword arguments) of a new, empty database: SQLite in `tmp_path`, or a schema of MariaDB."""
    if request.param == "sqlite":
        return {"webchat_data": tmp_path}
    port = request.getfixturevalue("mariadb_port")
    name = f"t{next(_schemas)}"
    connection = pymysql.connect(host="127.0.0.1", port=port, user="root")
    with connection, connection.cursor() as cursor:
        for service in ("auth", "social", "rooms", "media"):
            cursor.execute(f"CREATE DATABASE {name}_{service}")
    return {
        "webchat_data": tmp_path, "db_host": "127.0.0.1", "db_port": port,
        "db_name": name, "db_username": "root", "db_password": "",
    }  # fmt: skip


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
