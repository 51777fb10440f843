"""rooms: the logs of all rooms. The composition root: nothing connects before the lifespan begins."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from rooms.api import events, internal, members, messages, rooms
from rooms.consumers import on_auth, on_social
from rooms.service.dependencies import Dependencies
from rooms.service.pipeline.committer import Committer
from rooms.service.publication.publisher import Publisher
from rooms.service.publication.sweep import sweep
from rooms.service.trimming import trim
from rooms.settings import RoomsSettings
from rooms.storage.epochs import renew_epoch
from shared.contracts.auth import Accounts, UsersRequest
from shared.database.engine import DATABASE_OUTAGES, Database
from shared.database.migrations import check_schema, migrate
from shared.events.auth import AuthEvent
from shared.events.social import SocialEvent
from shared.outbox.relay import Relay
from shared.redis.client import check_redis, close_redis, connect_redis, empty_redis
from shared.rpc.client import Peer, ServiceTokens, Verifier, http_client
from shared.streams.consumer import Consumer
from shared.tasks import background
from shared.web.app import create_app as create_service

MIGRATIONS = Path(__file__).parents[2] / "migrations"


async def _deps(settings: RoomsSettings, app: FastAPI, stack: AsyncExitStack) -> Dependencies:
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
        "redis": partial(check_redis, redis),  # what is committed meanwhile is published when it is back
        "auth": partial(auth.call, "accounts", UsersRequest([]), Accounts),  # only those are invited that it knows
    }
    publisher = Publisher(database, redis, limit=settings.publish_queue)
    committer = Committer(database, publisher, writers=settings.writers)
    app.state.overload.watch(lambda: committer.filled)
    return Dependencies(settings, database, redis, publisher, committer, auth, media)


async def _start_work(deps: Dependencies, stack: AsyncExitStack) -> None:
    settings, name = deps.settings, f"{socket.gethostname()}:{deps.settings.listen_port}"
    accounts = Consumer(deps.redis, "auth", settings.service, name, AuthEvent, partial(on_auth, deps))
    blocks = Consumer(deps.redis, "social", settings.service, name, SocialEvent, partial(on_social, deps))
    stack.push_async_callback(deps.publisher.drain)
    await stack.enter_async_context(background("publisher", deps.publisher.run, pause=0, longest=0.5))
    for what, work, pause in (
        ("outbox relay", Relay(deps.database, deps.redis, settings.service).run, 0.1),
        ("events of auth", accounts.run, 0),
        ("events of social", blocks.run, 0),
        ("sweep", partial(sweep, deps), settings.sweep_s),
        ("trimming", partial(trim, deps), settings.trim_s),
    ):
        await stack.enter_async_context(background(what, work, pause=pause))


def create_app(settings: RoomsSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            deps = app.state.deps = await _deps(settings, app, stack)
            await migrate(deps.database, MIGRATIONS)
            await deps.publisher.open()
            await _start_work(deps, stack)
            yield

    routers = [rooms.router, members.router, messages.router, events.router, internal.router]
    return create_service(settings, title="WebChat rooms", routers=routers, lifespan=lifespan, outages=DATABASE_OUTAGES)


def new_epoch(settings: RoomsSettings) -> str:
    """Begin all logs anew, after a restore or a failover that may have lost commits; returns the new epoch."""

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
    """Empty the Redis of all services, after a restore: what it knows is of other databases."""

    async def forget() -> None:
        redis = connect_redis(settings)
        try:
            await empty_redis(redis)
        finally:
            await close_redis(redis)

    asyncio.run(forget())
    return "Redis is empty"
