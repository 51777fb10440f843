from auth.main import MIGRATIONS
from auth.settings import AuthSettings
from auth.storage.tables import session, signing_key, user
from shared.outbox.table import outbox
from shared.service.database import Database
from shared.testing.fixtures import on_servers
from shared.testing.migrations import check_migrations, check_one_back, check_starting_at_once


async def test_up_and_down_and_the_schema_is_that_of_the_tables(settings: AuthSettings) -> None:
    database = Database(settings.database_url)
    await check_migrations(database, MIGRATIONS, [user, session, signing_key, outbox])
    await database.close()


@on_servers
async def test_replicas_that_start_at_once_all_come_up(settings: AuthSettings) -> None:
    await check_starting_at_once(settings.database_url, MIGRATIONS)


async def test_the_version_before_writes_into_this_schema(settings: AuthSettings) -> None:
    database = Database(settings.database_url)
    await check_one_back(database, MIGRATIONS)
    await database.close()
