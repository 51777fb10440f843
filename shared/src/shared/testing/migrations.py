"""Checks that a service's migrations and its tables agree."""

import asyncio
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, Connection, MetaData, Table, UniqueConstraint, inspect, select, text
from sqlmodel import SQLModel

from shared.database.engine import Database
from shared.database.migrations import current_revision, head_revision, migrate

_VALUES: dict[type, Any] = {int: 1, str: "x", bytes: bytes(range(16)), bool: True}


async def check_migrations(database: Database, folder: Path, tables: Collection[Table]) -> None:
    """Migrate up, down and up again, and compare the schema with the tables, except for names of constraints."""
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
    await _check_newer_is_left_unchanged(database, folder)


async def _check_newer_is_left_unchanged(database: Database, folder: Path) -> None:
    """Check that a process of this version starts on the schema of the next one."""
    move = text("UPDATE alembic_version SET version_num = :revision")
    async with database.write() as db:
        await db.execute(move, {"revision": "9999"})
    await migrate(database, folder)
    assert await current_revision(database) == "9999"
    async with database.write() as db:
        await db.execute(move, {"revision": head_revision(folder)})


async def check_one_back(database: Database, folder: Path, **values: Mapping[str, Any]) -> None:
    """Check that the previous version writes to the schema after the last migration, and that its rows survive.

    The rows must be unchanged after migrating one revision back and forth. With only one migration there is no previous
    version, and this only migrates back and forth. `values` are the values of some columns, by the name of the table.
    """
    revisions = ["base", *sorted(path.name.split("_")[0] for path in (folder / "versions").glob("[0-9]*.py"))]
    before, schema = revisions[-2], MetaData()
    if before != "base":
        await migrate(database, folder, before)
        async with database.read() as db:
            await db.run_sync(schema.reflect)
    tables = [table for table in schema.sorted_tables if table.name != "alembic_version"]
    await migrate(database, folder)
    async with database.write() as db:
        for table in tables:
            await db.execute(table.insert().values(_row(table) | dict(values.get(table.name, {}))))
    written = await _rows(database, tables)
    assert all(len(rows) == 1 for rows in written.values())
    for revision in (before, "head"):
        await migrate(database, folder, revision)
        assert await _rows(database, tables) == written, revision


async def check_older_start(database: Database, folder: Path, older: Path) -> None:
    """Check that a process of the previous version starts on the newer schema and leaves it unchanged.

    `older` is a folder that this creates.
    """
    shutil.copytree(folder, older)
    max((older / "versions").glob("[0-9]*.py")).unlink()
    await migrate(database, folder)
    await asyncio.gather(*(migrate(database, older) for _ in range(2)))
    assert await current_revision(database) == head_revision(folder)


async def check_starting_at_once(url: URL, folder: Path) -> None:
    """Check that several processes that start at once on an empty database all become ready."""
    databases = [Database(url) for _ in range(4)]
    await asyncio.gather(*(migrate(database, folder) for database in databases))
    assert {await current_revision(database) for database in databases} == {head_revision(folder)}
    for database in databases:
        await database.close()


def _row(table: Table) -> dict[str, Any]:
    """Return a value for every required column, the same for all columns of a type, so that references are valid."""
    needed = [one for one in table.columns if not one.nullable and one.server_default is None]
    return {one.name: _VALUES[one.type.python_type] for one in needed}


async def _rows(database: Database, tables: Collection[Table]) -> dict[str, list[Any]]:
    async with database.read() as db:
        return {table.name: (await db.execute(select(table))).all() for table in tables}  # type: ignore[misc]


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
