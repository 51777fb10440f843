from auth.main import MIGRATIONS
from auth.settings import AuthSettings
from auth.storage.tables import session, signing_key, user
from shared.outbox.table import outbox
from shared.service.database import Database
from shared.testing.migrations import check_migrations


async def test_up_and_down_and_the_schema_is_that_of_the_tables(settings: AuthSettings) -> None:
    database = Database(settings.database_url)
    await check_migrations(database, MIGRATIONS, [user, session, signing_key, outbox])
    await database.close()
