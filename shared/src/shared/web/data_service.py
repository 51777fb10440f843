"""The defaults of a data service: database, Redis, peers, readiness checks, consumers and background jobs."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from shared.budgets import CALL_S
from shared.database.engine import DATABASE_OUTAGES, Database
from shared.database.migrations import check_schema, migrate
from shared.outbox.relay import Relay
from shared.redis.client import check_redis, close_redis, connect_redis
from shared.rpc.client import Client, Peer, ServiceTokens, Verifier, http_client
from shared.settings import Settings
from shared.streams.consumer import Consumer
from shared.tasks import background
from shared.web.app import create_app
from shared.web.state import AppState, Check, state_of

S = TypeVar("S", bound=Settings)
E = TypeVar("E")


class DataService:
    """One running data service. Its `main.build` adds to it what only that service has.

    Jobs and consumers start when `build` has returned. When the process ends they stop, then `stack` closes the rest
    in reverse order.
    """

    def __init__(self, settings: Settings, state: AppState, stack: AsyncExitStack, migrations: Path) -> None:
        self._settings, self.state, self.stack = settings, state, stack
        self._jobs: list[tuple[str, Callable[[], Awaitable[None]], float, float]] = []
        self.database = Database(settings.database_url, pool_size=settings.db_pool_size)
        stack.push_async_callback(self.database.close)
        self.redis = connect_redis(settings)
        stack.push_async_callback(close_redis, self.redis)
        self.add_required_check("database", self.database.ping)
        self.add_required_check("schema", partial(check_schema, self.database, migrations))
        self.add_optional_check("redis", partial(check_redis, self.redis))

    def add_required_check(self, name: str, check: Check) -> None:
        """Add a readiness check; while it fails, the service takes no requests."""
        self.state.required_checks[name] = check

    def add_optional_check(self, name: str, check: Check) -> None:
        """Add an optional readiness check; while it fails, the service reports itself as degraded."""
        self.state.optional_checks[name] = check

    def verify_with_auth(self) -> None:
        """Verify tokens with auth's public keys."""
        verifier = Verifier(self._client, self._settings)
        self.state.verify = verifier.verify
        self.add_required_check("keys of auth", verifier.check)

    def peer(self, name: str) -> Peer:
        """Another service: its address is the setting `<name>_url`."""
        url = getattr(self._settings, f"{name}_url")
        return Peer(self._client, self._tokens, name, url, timeout_s=CALL_S)

    def optional_peer(self, name: str, path: str, body: object, answer: type[Any]) -> Peer:
        """Another service, with an optional readiness check that makes this call."""
        peer = self.peer(name)
        self.add_optional_check(name, partial(peer.call, path, body, answer))
        return peer

    def relay_outbox(self) -> Relay:
        """Publish the outbox of this service while it runs."""
        relay = Relay(self.database, self.redis, self._settings.service)
        self.run("outbox relay", relay.run, 0.1)
        return relay

    def consume(self, source: str, shape: Any, handle: Callable[[E], Awaitable[None]]) -> None:
        """Handle the events of another service that have this shape, a struct or a tagged union."""
        name = f"{socket.gethostname()}:{self._settings.listen_port}"
        consumer: Consumer[E] = Consumer(self.redis, source, self._settings.service, name, shape, handle)
        self.run(f"events of {source}", consumer.run)

    def run(self, name: str, job: Callable[[], Awaitable[None]], pause: float = 0, *, longest: float = 10) -> None:
        """Call the job again and again, `pause` seconds apart; after failures up to `longest` seconds apart."""
        self._jobs.append((name, job, pause, longest))

    async def start_jobs(self) -> None:
        for name, job, pause, longest in self._jobs:
            await self.stack.enter_async_context(background(name, job, pause=pause, longest=longest))

    @cached_property
    def _client(self) -> Client:
        client = http_client()
        self.stack.push_async_callback(client.close)
        return client

    @cached_property
    def _tokens(self) -> ServiceTokens:
        return ServiceTokens(self._client, self._settings)


def create_data_service(
    settings: S,
    *,
    title: str,
    migrations: Path,
    routers: Sequence[APIRouter],
    build: Callable[[DataService, S], Awaitable[object]],
    uploads: Collection[str] = (),
    middleware: Sequence[Middleware] = (),
) -> FastAPI:
    """Create the application; nothing connects before its lifespan begins.

    The lifespan brings the schema up to date, awaits `build`, keeps the dependencies it returns, and starts the jobs.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state = state_of(app)
        async with AsyncExitStack() as stack:
            service = DataService(settings, state, stack, migrations)
            await migrate(service.database, migrations)
            state.dependencies = await build(service, settings)
            await service.start_jobs()
            yield

    return create_app(
        settings,
        title=title,
        routers=routers,
        lifespan=lifespan,
        outages=DATABASE_OUTAGES,
        uploads=uploads,
        middleware=middleware,
    )
