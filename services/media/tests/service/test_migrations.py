from media.main import MIGRATIONS
from media.settings import MediaSettings
from media.storage.tables import TABLES
from shared.service.database import Database
from shared.testing.migrations import check_migrations


async def test_up_and_down_and_the_schema_is_that_of_the_tables(database_env):
    database = Database(MediaSettings(_env_file=None, service_secret="s" * 40, **database_env).database_url)
    await check_migrations(database, MIGRATIONS, TABLES)
    await database.close()
