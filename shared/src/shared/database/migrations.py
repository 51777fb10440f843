"""Alembic migrations of a service, run at its start or by a job before it.

If several processes start at once, one migrates and the others wait. A schema that is newer than the code stays: the
previous version may restart during a rolling update.
"""

import asyncio
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from shared.database.engine import Database
from shared.settings import Settings


def head_revision(folder: Path) -> str:
    """Return the newest revision. Migrations are named `NNNN_what.py`; their revision is NNNN."""
    return max(path.name.split("_")[0] for path in (folder / "versions").glob("[0-9]*.py"))


async def current_revision(database: Database) -> str | None:
    async with database.read() as db:
        if not await db.run_sync(lambda connection: inspect(connection).has_table("alembic_version")):
            return None
        return (await db.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()


async def migrate(database: Database, folder: Path, revision: str = "head") -> None:
    """Migrate the database to `revision`; "base" drops everything. Alembic is imported only if it is needed."""
    if _is_at(await current_revision(database), folder, revision):
        return
    async with database.lock("migrations"):
        current = await current_revision(database)
        if not _is_at(current, folder, revision):  # unless another process was first
            async with database.write() as db:
                await db.run_sync(_run, folder, revision, current or "")


class OutdatedSchemaError(Exception):
    """The schema is older than the code."""


async def check_schema(database: Database, folder: Path) -> None:
    """Raise OutdatedSchemaError if the schema is older than this code, for example after an old backup was restored."""
    current = await current_revision(database)
    if not _is_at(current, folder, "head"):
        raise OutdatedSchemaError(f"at {current}, not {head_revision(folder)}")


def _is_at(current: str | None, folder: Path, revision: str) -> bool:
    return (current or "") >= head_revision(folder) if revision == "head" else current == revision


def run_migrations(settings: Settings, folder: Path) -> str:
    """Migrate as a job before the services start; return the revision of the database."""

    async def run() -> str | None:
        database = Database(settings.database_url, pool_size=2)
        try:
            await migrate(database, folder)
            return await current_revision(database)
        finally:
            await database.close()

    return asyncio.run(run()) or "none"


def _run(connection: Connection, folder: Path, revision: str, current: str) -> None:
    from alembic import command  # noqa: PLC0415 - heavy, and usually not needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    is_back = revision == "base" or (revision != "head" and revision < current)
    (command.downgrade if is_back else command.upgrade)(config, revision)
