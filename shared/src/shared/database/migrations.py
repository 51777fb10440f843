"""Alembic migrations of one service, run in process at its start or before it as a job, and only when there are any.

Of several processes that start at once, one does it and the others wait for it. A schema that is ahead is left alone:
the version before still serves while the next one rolls out, and may restart.
"""

import asyncio
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from shared.database.engine import Database
from shared.settings import Settings


def head_revision(folder: Path) -> str:
    """The newest revision: migrations are named `NNNN_what.py` and their revision is NNNN."""
    return max(path.name.split("_")[0] for path in (folder / "versions").glob("[0-9]*.py"))


async def current_revision(database: Database) -> str | None:
    async with database.read() as db:
        if not await db.run_sync(lambda connection: inspect(connection).has_table("alembic_version")):
            return None
        return (await db.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()


async def migrate(database: Database, folder: Path, revision: str = "head") -> None:
    """Bring the database to `revision` ("base" takes everything down); nothing is imported when it is there already."""
    if _is_there(await current_revision(database), folder, revision):
        return
    async with database.alone("migrations"):
        current = await current_revision(database)
        if not _is_there(current, folder, revision):  # another process may have been first
            async with database.write() as db:
                await db.run_sync(_run, folder, revision, current or "")


class SchemaIsBehindError(Exception):
    pass


async def check_schema(database: Database, folder: Path) -> None:
    """Raises where the tables are older than this code: an older backup was brought back under a running service."""
    current = await current_revision(database)
    if not _is_there(current, folder, "head"):
        raise SchemaIsBehindError(f"at {current}, not {head_revision(folder)}")


def _is_there(current: str | None, folder: Path, revision: str) -> bool:
    return (current or "") >= head_revision(folder) if revision == "head" else current == revision


def run_migrations(settings: Settings, folder: Path) -> str:
    """The job before the services start; returns the revision that the database then has."""

    async def run() -> str | None:
        database = Database(settings.database_url, pool_size=2)
        try:
            await migrate(database, folder)
            return await current_revision(database)
        finally:
            await database.close()

    return asyncio.run(run()) or "none"


def _run(connection: Connection, folder: Path, revision: str, current: str) -> None:
    from alembic import command  # noqa: PLC0415 - heavy, and not needed at a warm start
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    is_back = revision == "base" or (revision != "head" and revision < current)
    (command.downgrade if is_back else command.upgrade)(config, revision)
