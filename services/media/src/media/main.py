"""media: attachments and avatars. The composition root: nothing connects before the lifespan begins."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from media.api import attachments, internal
from media.consumers import on_auth, on_rooms
from media.service.backup import bring_back, save
from media.service.dependencies import Dependencies
from media.service.gate import Gate
from media.service.pictures import Studio
from media.service.signing import open_cdn
from media.service.sweep import Sweep
from media.settings import MediaSettings
from media.storage.bucket import BUCKET_DOWN, Bucket, open_bucket
from shared.contracts.rooms import Revisions, UserIdsRequest
from shared.database.engine import DATABASE_OUTAGES, Database
from shared.database.migrations import check_schema, migrate
from shared.events.auth import AuthEvent
from shared.events.rooms import AttachmentsReleased
from shared.redis.client import AnyRedis, check_redis, close_redis, connect_redis
from shared.rpc.client import Peer, ServiceTokens, Verifier, http_client
from shared.streams.consumer import Consumer
from shared.tasks import background
from shared.web.app import create_app as create_service

MIGRATIONS = Path(__file__).parents[2] / "migrations"
BACKUP = Path("/backup")
"""Where the folder of a backup is mounted."""


async def _deps(settings: MediaSettings, app: FastAPI, stack: AsyncExitStack) -> Dependencies:
    database = Database(settings.database_url, pool_size=settings.db_pool_size)
    stack.push_async_callback(database.close)
    bucket = await stack.enter_async_context(open_bucket(settings))
    client = await stack.enter_async_context(http_client())
    verifier = Verifier(client, settings)
    app.state.verify = verifier.verify
    app.state.checks = {
        "database": database.ping,
        "schema": partial(check_schema, database, MIGRATIONS),
        "bucket": bucket.check,
        "keys of auth": verifier.check,
    }
    rooms = Peer(client, ServiceTokens(client, settings), "rooms", settings.rooms_url)
    return Dependencies(
        settings=settings,
        database=database,
        bucket=bucket,
        cdn=open_cdn(settings),
        rooms=rooms,
        studio=Studio(settings),
        uploads=Gate(settings.uploads_at_once),
    )


async def _start_work(deps: Dependencies, redis: AnyRedis, stack: AsyncExitStack) -> None:
    settings, name = deps.settings, f"{socket.gethostname()}:{deps.settings.listen_port}"
    accounts = Consumer(redis, "auth", settings.service, name, AuthEvent, partial(on_auth, deps))
    rooms = Consumer(redis, "rooms", settings.service, name, AttachmentsReleased, partial(on_rooms, deps))
    for what, work, pause in (
        ("events of auth", accounts.run, 0),
        ("events of rooms", rooms.run, 0),
        ("sweep", Sweep(deps).run, settings.media_sweep_s),
    ):
        await stack.enter_async_context(background(what, work, pause=pause))


def create_app(settings: MediaSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            deps = app.state.deps = await _deps(settings, app, stack)
            redis = connect_redis(settings)
            stack.push_async_callback(close_redis, redis)
            app.state.wishes = {
                "redis": partial(check_redis, redis),  # files are stored and read without it, only deletions wait
                "rooms": partial(deps.rooms.call, "revisions", UserIdsRequest([]), Revisions),  # avatars do without
            }
            await migrate(deps.database, MIGRATIONS)
            await _start_work(deps, redis, stack)
            yield

    routers = [attachments.router, internal.router]
    return create_service(settings, title="WebChat media", routers=routers, lifespan=lifespan, outages=DATABASE_OUTAGES)


def save_objects(settings: MediaSettings) -> str:
    return _with_bucket(settings, save)


def bring_objects_back(settings: MediaSettings) -> str:
    return _with_bucket(settings, bring_back)


def _with_bucket(settings: MediaSettings, work: Callable[[Bucket, Path], Awaitable[str]]) -> str:
    async def run() -> str:
        async with open_bucket(settings) as bucket:
            return await work(bucket, BACKUP)

    try:
        return asyncio.run(run())
    except (*BUCKET_DOWN, ValueError) as error:
        sys.exit(f"media: {error}")
