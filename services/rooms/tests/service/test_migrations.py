from rooms.main import MIGRATIONS
from rooms.settings import RoomsSettings
from rooms.storage.tables import TABLES
from shared.service.database import Database
from shared.testing.migrations import check_migrations


async def test_up_and_down_and_the_schema_is_that_of_the_tables(settings: RoomsSettings) -> None:
    database = Database(settings.database_url)
    await check_migrations(database, MIGRATIONS, TABLES)
    await database.close()
