import pytest

from auth.main import MIGRATIONS
from auth.settings import AuthSettings
from auth.storage.tables import revocation, session, signing_key, user
from shared.database.engine import Database
from shared.outbox.table import outbox
from shared.testing.fixtures import on_each_database, on_servers
from shared.testing.migrations import check_migrations, check_one_back, check_starting_at_once

pytestmark = pytest.mark.empty_database
PEERS = ("social", "rooms", "media", "chat_gateway")
SECRETS = ("service_secret", "session_secret_key", *(f"{name}_service_secret" for name in PEERS))


def settings_of(database_env) -> AuthSettings:
    return AuthSettings(_env_file=None, **dict.fromkeys(SECRETS, "s" * 40), **database_env)


@on_each_database
async def test_migrations_up_and_down_match_the_tables(database_env) -> None:
    database = Database(settings_of(database_env).database_url)
    await check_migrations(database, MIGRATIONS, [user, session, revocation, signing_key, outbox])
    await database.close()


@on_servers
async def test_replicas_that_start_at_once_all_start(database_env) -> None:
    await check_starting_at_once(settings_of(database_env).database_url, MIGRATIONS)


@on_each_database
async def test_the_previous_version_can_write_to_this_schema(database_env) -> None:
    database = Database(settings_of(database_env).database_url)
    await check_one_back(database, MIGRATIONS)
    await database.close()
