"""The composition of a gateway: its parts, the readiness checks, and the background work."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypedDict

from fastapi import FastAPI

from chat_gateway.clients.auth import Auth
from chat_gateway.clients.media import Media
from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from chat_gateway.driver.gateway import Gateway
from chat_gateway.driver.sync import check_users, sync_users
from chat_gateway.settings import GatewaySettings
from chat_gateway.timings import Timings
from chat_gateway.transport.handshake import Handshake
from shared.redis.client import AnyRedis, check_redis, close_redis, connect_redis
from shared.rpc.client import Client, Peer, ServiceTokens, Verifier, http_client
from shared.tasks import background
from shared.web.overload import Overload
from shared.web.state import state_of


class LifespanState(TypedDict):
    """The state that sockets and routes get from the lifespan."""

    gateway: Gateway
    handshake: Handshake


@asynccontextmanager
async def running(app: FastAPI, *, settings: GatewaySettings, timings: Timings) -> AsyncIterator[LifespanState]:
    """The lifespan of the application: connect, run the background work, and disconnect."""
    state = state_of(app)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(http_client())
        redis = connect_redis(settings)
        stack.push_async_callback(close_redis, redis)
        gateway = _build_gateway(settings, timings, client, redis, state.overload)
        gateway.register_metrics()
        verifier = Verifier(client, settings)
        state.required_checks = {
            "redis": partial(check_redis, redis),
            "auth": partial(gateway.auth.active_sessions, []),
            "rooms": partial(gateway.rooms.revisions, []),
            "social": partial(gateway.social.revisions, []),
            "keys of auth": verifier.check,
        }
        await _start_background_work(gateway, timings, stack)
        yield {"gateway": gateway, "handshake": Handshake(verifier.verify)}


def _build_gateway(
    settings: GatewaySettings, timings: Timings, client: Client, redis: AnyRedis, overload: Overload
) -> Gateway:
    tokens = ServiceTokens(client, settings)
    return Gateway(
        redis=redis,
        rooms=Rooms(Peer(client, tokens, "rooms", settings.rooms_url)),
        auth=Auth(Peer(client, tokens, "auth", settings.auth_url)),
        social=Social(Peer(client, tokens, "social", settings.social_url)),
        media=Media(Peer(client, tokens, "media", settings.media_url)),
        limits=settings.limits,
        partitions=settings.lanes,
        trace_sample=settings.trace_sample,
        queue_capacity=settings.lane_commands,
        overload=overload,
        timings=timings,
        sync_users=sync_users,
    )


async def _start_background_work(gateway: Gateway, timings: Timings, stack: AsyncExitStack) -> None:
    await stack.enter_async_context(gateway.command_queues.running())
    await stack.enter_async_context(gateway.subscriber.running())
    await stack.enter_async_context(gateway.presence.running())
    for name, work, pause in (
        ("ephemeral", gateway.ephemeral.run, 0.0),
        ("user changes", gateway.changed_users.run, 0.0),
        ("user check", partial(check_users, gateway), 0.0),
        ("read cursors", gateway.flush_cursors, timings.cursor_flush),
    ):
        await stack.enter_async_context(background(name, work, pause=pause))
