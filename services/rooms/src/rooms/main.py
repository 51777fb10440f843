"""rooms: the logs of all rooms. The composition root: nothing connects before the lifespan begins."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from rooms.api import internal
from rooms.api.refusals import on_refusal
from rooms.domain.refusals import Refusal
from rooms.service.parts import Parts
from rooms.service.publisher import Publisher
from rooms.settings import RoomsSettings
from shared.service.app import create_app as create_service
from shared.service.database import Database
from shared.service.http import Peer, ServiceTokens, Verifier, http_client
from shared.service.migrations import migrate
from shared.service.redis import connect_redis
from shared.service.tasks import background

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def create_app(settings: RoomsSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(http_client())
            database = Database(settings.database_url, pool_size=settings.db_pool_size)
            redis = connect_redis(settings)
            stack.push_async_callback(database.close)
            stack.push_async_callback(redis.aclose)
            await migrate(database, MIGRATIONS)
            publisher = Publisher(database, redis, limit=settings.publish_queue)
            await publisher.open()
            auth = Peer(client, ServiceTokens(client, settings), "auth", settings.auth_url)
            app.state.parts = Parts(settings, database, redis, publisher, auth)
            app.state.verify = Verifier(client, settings).verify
            app.state.checks = {"database": database.ping}
            await stack.enter_async_context(background("publisher", publisher.run, pause=0))
            yield

    app = create_service(settings, title="WebChat rooms", routers=[internal.router], lifespan=lifespan)
    app.add_exception_handler(Refusal, on_refusal)
    return app
