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
from auth.service.hasher import Hasher
from auth.service.key_ring import KeyRing
from auth.service.parts import Parts
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


def _parts(settings: AuthSettings) -> Parts:
    database = Database(settings.database_url, pool_size=settings.db_pool_size)
    redis = connect_redis(settings)
    gate = RedisGate(redis)
    return Parts(
        settings=settings,
        database=database,
        redis=redis,
        relay=Relay(database, redis, settings.service),
        cache=SessionCache(gate),
        throttle=Throttle(Buckets(gate), on=settings.rate_limits),
        hasher=Hasher(settings),
        keys=KeyRing(database, settings),
    )


def _names(parts: Parts) -> Consumer[ProfileRenamed]:
    name = f"{socket.gethostname()}:{parts.settings.listen_port}"
    return Consumer(parts.redis, "social", parts.settings.service, name, ProfileRenamed, partial(on_social, parts))


def create_app(settings: AuthSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            parts = _parts(settings)
            stack.push_async_callback(parts.database.close)
            stack.push_async_callback(close_redis, parts.redis)
            stack.callback(parts.hasher.close)
            await migrate(parts.database, MIGRATIONS)
            await parts.keys.refresh()
            app.state.parts = parts
            app.state.verify = parts.keys.verify
            app.state.checks = {
                "database": parts.database.ping,
                "schema": partial(check_schema, parts.database, MIGRATIONS),
                "signing keys": parts.keys.check,
            }
            app.state.wishes = {"redis": partial(check_redis, parts.redis)}
            await stack.enter_async_context(background("outbox relay", parts.relay.run))
            await stack.enter_async_context(background("facts of social", _names(parts).run, pause=0))
            for what, work, pause in (
                ("signing keys", parts.keys.refresh, settings.signing_key_refresh_s),
                ("expired sessions", partial(purge, parts), settings.session_purge_s),
            ):
                await stack.enter_async_context(background(what, work, pause=pause))
            yield

    routers = [accounts.router, sessions.router, check.router, internal.router]
    app = create_service(settings, title="WebChat auth", routers=routers, lifespan=lifespan, outages=DATABASE_OUTAGES)
    app.add_middleware(OriginGuard, listed=settings.backend_cors_origins)
    return app
