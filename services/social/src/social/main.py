"""social: profiles, follows, blocks. The composition root: nothing connects before the lifespan begins."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from shared.contracts.auth import Accounts, UsersRequest
from shared.database.engine import DATABASE_OUTAGES, Database
from shared.database.migrations import check_schema, migrate
from shared.events.auth import AuthEvent
from shared.outbox.relay import Relay
from shared.redis.client import check_redis, close_redis, connect_redis
from shared.rpc.client import Peer, ServiceTokens, Verifier, http_client
from shared.streams.consumer import Consumer
from shared.tasks import background
from shared.web.app import create_app as create_service
from social.api import internal, profiles, ties
from social.consumers import on_auth
from social.service.dependencies import Dependencies
from social.settings import SocialSettings

MIGRATIONS = Path(__file__).parents[2] / "migrations"


async def _deps(settings: SocialSettings, app: FastAPI, stack: AsyncExitStack) -> Dependencies:
    database = Database(settings.database_url, pool_size=settings.db_pool_size)
    stack.push_async_callback(database.close)
    redis = connect_redis(settings)
    stack.push_async_callback(close_redis, redis)
    client = await stack.enter_async_context(http_client())
    verifier = Verifier(client, settings)
    app.state.verify = verifier.verify
    app.state.checks = {
        "database": database.ping,
        "schema": partial(check_schema, database, MIGRATIONS),
        "keys of auth": verifier.check,
    }
    tokens = ServiceTokens(client, settings)
    auth, media = Peer(client, tokens, "auth", settings.auth_url), Peer(client, tokens, "media", settings.media_url)
    app.state.wishes = {
        "redis": partial(check_redis, redis),
        "auth": partial(auth.call, "accounts", UsersRequest([]), Accounts),
    }
    return Dependencies(database, redis, Relay(database, redis, settings.service), auth, media)


def create_app(settings: SocialSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            deps = app.state.deps = await _deps(settings, app, stack)
            await migrate(deps.database, MIGRATIONS)
            name = f"{socket.gethostname()}:{settings.listen_port}"
            accounts = Consumer(deps.redis, "auth", settings.service, name, AuthEvent, partial(on_auth, deps))
            await stack.enter_async_context(background("outbox relay", deps.relay.run))
            await stack.enter_async_context(background("events of auth", accounts.run, pause=0))
            yield

    routers = [profiles.router, ties.router, internal.router]
    return create_service(
        settings, title="WebChat social", routers=routers, lifespan=lifespan, outages=DATABASE_OUTAGES
    )
