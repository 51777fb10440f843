import pytest

from media.main import MIGRATIONS
from media.settings import MediaSettings
from media.storage.tables import TABLES
from shared.database.engine import Database
from shared.testing.fixtures import on_each_database, on_servers
from shared.testing.migrations import check_migrations, check_one_back, check_starting_at_once

pytestmark = pytest.mark.empty_database


@on_each_database
async def test_migrations_up_and_down_match_the_tables(database_env):
    database = Database(MediaSettings(_env_file=None, service_secret="s" * 40, **database_env).database_url)
    await check_migrations(database, MIGRATIONS, TABLES)
    await database.close()


@on_servers
async def test_replicas_that_start_at_once_all_start(database_env):
    settings = MediaSettings(_env_file=None, service_secret="s" * 40, **database_env)
    await check_starting_at_once(settings.database_url, MIGRATIONS)


@on_each_database
async def test_the_previous_version_can_write_to_this_schema(database_env):
    database = Database(MediaSettings(_env_file=None, service_secret="s" * 40, **database_env).database_url)
    await check_one_back(database, MIGRATIONS)
    await database.close()
