"""Databases of tests: made once in a test worker from the migrations, and emptied for each test."""

import asyncio
import re
import secrets
import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pymysql
from sqlalchemy import URL

from shared.database.engine import Database
from shared.database.migrations import migrate

_CHECKOUT = Path(__file__).parents[4]
_KEPT = "alembic_version"


def services_of(path: Path) -> list[str]:
    """Return the service whose folder a test file is in, as a list: empty for tests of something else."""
    found = re.search(r"/services/([a-z-]+)/tests/", path.as_posix())
    return [found[1]] if found and _migrations(found[1]).is_dir() else []


def _migrations(service: str) -> Path:
    return _CHECKOUT / "services" / service / "migrations"


class SqliteTemplates:
    """SQLite files with the current tables, each made once and then copied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copy(self, service: str, data: Path) -> None:
        """Give `data`, a `WEBCHAT_DATA`, an empty database of a service."""
        template = self._folder / f"{service}.sqlite3"
        if not template.exists():
            _migrate(URL.create("sqlite+aiosqlite", database=str(template)), service)
        (data / "db").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template, data / "db" / template.name)


class ServerSchemas:
    """Schemas with the current tables on one MariaDB or MySQL, used by one test after another."""

    def __init__(self, url: URL) -> None:
        self.url, self.name = url, f"t{secrets.token_hex(4)}"
        self._made: dict[str, list[str]] = {}

    def empty(self, service: str) -> None:
        """Make the schema of a service, or remove what the test before left in it."""
        if service not in self._made:
            schema = f"{self.name}_{service}"
            self._execute(f"CREATE DATABASE {schema}")
            _migrate(self.url.set(drivername="mysql+aiomysql", database=schema, query={"charset": "utf8mb4"}), service)
            names = self._execute(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'")
            self._made[service] = [f"{schema}.{name}" for [name] in names if name != _KEPT]
        tables = self._made[service]
        used = self._execute(" UNION ALL ".join(f"(SELECT '{one}' FROM {one} LIMIT 1)" for one in tables))
        self._execute("SET FOREIGN_KEY_CHECKS = 0", *(f"TRUNCATE TABLE {one}" for [one] in used))

    @contextmanager
    def new(self, services: Collection[str]) -> Iterator[str]:
        """Make schemas without tables; yields the prefix of their names, and drops them."""
        name = f"t{secrets.token_hex(4)}"
        self._execute(*(f"CREATE DATABASE {name}_{service}" for service in services))
        yield name
        self._execute(*(f"DROP DATABASE {name}_{service}" for service in services))

    def drop(self) -> None:
        self._execute(*(f"DROP DATABASE {self.name}_{service}" for service in self._made))

    def settings(self, name: str) -> dict[str, Any]:
        """Return what a service's settings need to reach the schemas of a name."""
        return {
            "db_host": self.url.host, "db_port": self.url.port or 3306, "db_name": name,
            "db_username": self.url.username, "db_password": self.url.password or "",
        }  # fmt: skip

    def _execute(self, *statements: str) -> list[Any]:
        """Execute statements one after the other; returns the rows of the last."""
        url = self.url
        host, port, password = url.host or "127.0.0.1", url.port or 3306, url.password or ""
        with closing(pymysql.connect(host=host, port=port, user=url.username, password=password)) as connection:
            connection.autocommit(True)
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())


def _migrate(url: URL, service: str) -> None:
    """Run a service's migrations, on a thread: the loop of a test may be running."""
    failed: list[BaseException] = []

    async def run() -> None:
        database = Database(url, pool_size=2)
        try:
            await migrate(database, _migrations(service))
        finally:
            await database.close()

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - raised again below, on the thread of the test
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
