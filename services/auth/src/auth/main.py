"""auth: accounts, sessions, signing keys. The composition root: nothing connects before the lifespan begins."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from auth.api import accounts, check, internal, sessions
from auth.api.origin import OriginGuard
from auth.consumers import on_social
from auth.service.dependencies import Dependencies
from auth.service.hasher import Hasher
from auth.service.key_ring import KeyRing
from auth.service.sessions import purge
from auth.service.throttle import Throttle
from auth.settings import AuthSettings
from auth.storage.buckets import Buckets
from auth.storage.redis_gate import RedisGate
from auth.storage.session_cache import SessionCache
from shared.database.engine import DATABASE_OUTAGES, Database
from shared.database.migrations import check_schema, migrate
from shared.events.social import ProfileRenamed
from shared.outbox.relay import Relay
from shared.redis.client import check_redis, close_redis, connect_redis
from shared.streams.consumer import Consumer
from shared.tasks import background
from shared.web.app import create_app as create_service

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def _deps(settings: AuthSettings) -> Dependencies:
    database = Database(settings.database_url, pool_size=settings.db_pool_size)
    redis = connect_redis(settings)
    gate = RedisGate(redis)
    return Dependencies(
        settings=settings,
        database=database,
        redis=redis,
        relay=Relay(database, redis, settings.service),
        cache=SessionCache(gate),
        throttle=Throttle(Buckets(gate), on=settings.rate_limits),
        hasher=Hasher(settings),
        keys=KeyRing(database, settings),
    )


def _names(deps: Dependencies) -> Consumer[ProfileRenamed]:
    name = f"{socket.gethostname()}:{deps.settings.listen_port}"
    return Consumer(deps.redis, "social", deps.settings.service, name, ProfileRenamed, partial(on_social, deps))


def create_app(settings: AuthSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            deps = _deps(settings)
            stack.push_async_callback(deps.database.close)
            stack.push_async_callback(close_redis, deps.redis)
            stack.callback(deps.hasher.close)
            await migrate(deps.database, MIGRATIONS)
            await deps.keys.refresh()
            app.state.deps = deps
            app.state.verify = deps.keys.verify
            app.state.checks = {
                "database": deps.database.ping,
                "schema": partial(check_schema, deps.database, MIGRATIONS),
                "signing keys": deps.keys.check,
            }
            app.state.wishes = {"redis": partial(check_redis, deps.redis)}
            await stack.enter_async_context(background("outbox relay", deps.relay.run))
            await stack.enter_async_context(background("facts of social", _names(deps).run, pause=0))
            for what, work, pause in (
                ("signing keys", deps.keys.refresh, settings.signing_key_refresh_s),
                ("expired sessions", partial(purge, deps), settings.session_purge_s),
            ):
                await stack.enter_async_context(background(what, work, pause=pause))
            yield

    routers = [accounts.router, sessions.router, check.router, internal.router]
    app = create_service(settings, title="WebChat auth", routers=routers, lifespan=lifespan, outages=DATABASE_OUTAGES)
    app.add_middleware(OriginGuard, listed=settings.backend_cors_origins)
    return app
