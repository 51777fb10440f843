"""Whether a service's migrations and its tables say the same."""

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, Connection, Table, UniqueConstraint, inspect, text
from sqlmodel import SQLModel

from shared.service.database import Database
from shared.service.migrations import current_revision, head_revision, migrate


async def check_migrations(database: Database, folder: Path, tables: Collection[Table]) -> None:
    """Up, down and up again; then the schema has what the tables say, names of constraints apart."""
    await migrate(database, folder)
    await migrate(database, folder, "base")
    async with database.read() as db:
        assert set(await db.run_sync(_table_names)) <= {"alembic_version"}
    await migrate(database, folder)
    async with database.read() as db:
        differences = await db.run_sync(_differences, tables)
        uniques = await db.run_sync(_uniques, tables)
    assert differences == [], differences
    declared = {table.name: _declared_uniques(table) for table in tables}
    assert uniques == declared, (uniques, declared)
    await _check_newer_is_left_alone(database, folder)


async def _check_newer_is_left_alone(database: Database, folder: Path) -> None:
    """A process of this version starts on the schema of the next one."""
    move = text("UPDATE alembic_version SET version_num = :revision")
    async with database.write() as db:
        await db.execute(move, {"revision": "9999"})
    await migrate(database, folder)
    assert await current_revision(database) == "9999"
    async with database.write() as db:
        await db.execute(move, {"revision": head_revision(folder)})


async def check_starting_at_once(url: URL, folder: Path) -> None:
    """Several processes find an empty database: all of them come up."""
    databases = [Database(url) for _ in range(4)]
    await asyncio.gather(*(migrate(database, folder) for database in databases))
    assert {await current_revision(database) for database in databases} == {head_revision(folder)}
    for database in databases:
        await database.close()


def _table_names(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


def _differences(connection: Connection, tables: Collection[Table]) -> list[Any]:
    names = {table.name for table in tables}

    def is_of_service(_: Any, name: str | None, kind: str, reflected: bool, __: Any) -> bool:
        return kind != "table" or reflected or name in names  # other services' tables share the metadata

    options = {"include_object": is_of_service, "compare_type": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata))


def _uniques(connection: Connection, tables: Collection[Table]) -> dict[str, set[tuple[str, ...]]]:
    found = inspect(connection)
    return {
        table.name: {tuple(one["column_names"]) for one in found.get_unique_constraints(table.name)} for table in tables
    }


def _declared_uniques(table: Table) -> set[tuple[str, ...]]:
    uniques = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    return {tuple(column.name for column in one.columns) for one in uniques}
