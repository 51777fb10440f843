"""Commands that operators run: `python -m rooms <command>`."""

import asyncio

from rooms.main import MIGRATIONS
from rooms.settings import RoomsSettings
from rooms.storage.epochs import renew_epoch
from shared.database.engine import Database
from shared.database.migrations import migrate
from shared.redis.client import close_redis, connect_redis, empty_redis


def new_epoch(settings: RoomsSettings) -> str:
    """Begin a new epoch of all logs, after a restore or a failover that may have lost commits; return its id."""

    async def renew() -> str:
        database = Database(settings.database_url)
        try:
            await migrate(database, MIGRATIONS)
            async with database.write() as db:
                return await renew_epoch(db)
        finally:
            await database.close()

    return asyncio.run(renew())


def forget_redis(settings: RoomsSettings) -> str:
    """Empty the Redis of all services, after a restore: its contents belong to the databases before it."""

    async def forget() -> None:
        redis = connect_redis(settings)
        try:
            await empty_redis(redis)
        finally:
            await close_redis(redis)

    asyncio.run(forget())
    return "Redis is empty"
