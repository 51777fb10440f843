import pytest

from shared.database.engine import Database
from shared.outbox.table import outbox
from shared.testing.fixtures import on_each_database, on_servers
from shared.testing.migrations import check_migrations, check_one_back, check_starting_at_once
from social.main import MIGRATIONS
from social.settings import SocialSettings
from social.storage.tables import block, follow, friend_revision, person

pytestmark = pytest.mark.empty_database


@on_each_database
async def test_migrations_up_and_down_match_the_tables(database_env):
    database = Database(SocialSettings(_env_file=None, service_secret="s" * 40, **database_env).database_url)
    await check_migrations(database, MIGRATIONS, [person, follow, block, friend_revision, outbox])
    await database.close()


@on_servers
async def test_replicas_that_start_at_once_all_start(database_env):
    settings = SocialSettings(_env_file=None, service_secret="s" * 40, **database_env)
    await check_starting_at_once(settings.database_url, MIGRATIONS)


@on_each_database
async def test_the_previous_version_can_write_to_this_schema(database_env):
    database = Database(SocialSettings(_env_file=None, service_secret="s" * 40, **database_env).database_url)
    await check_one_back(database, MIGRATIONS)
    await database.close()
