"""The composition root of a chat gateway: stateless, any number of them, nothing worth keeping."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI

from chat_gateway.clients.auth import Auth
from chat_gateway.clients.media import Media
from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from chat_gateway.driver.gateway import Gateway
from chat_gateway.driver.sync import check_users, follow_changes
from chat_gateway.ops import routes
from chat_gateway.ops.collector import Collector
from chat_gateway.settings import DEFAULT_TIMINGS, GatewaySettings, Timings
from chat_gateway.transport.handshake import Handshake
from shared.redis.client import check_redis, close_redis, connect_redis
from shared.rpc.client import Peer, ServiceTokens, Verifier, http_client
from shared.tasks import background
from shared.web.app import create_app as create_service
from shared.web.state import state_of


def create_app(settings: GatewaySettings, timings: Timings = DEFAULT_TIMINGS) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        state = state_of(app)
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(http_client())
            redis = connect_redis(settings)
            stack.push_async_callback(close_redis, redis)
            tokens = ServiceTokens(client, settings)
            gateway = Gateway(
                redis=redis,
                rooms=Rooms(Peer(client, tokens, "rooms", settings.rooms_url)),
                auth=Auth(Peer(client, tokens, "auth", settings.auth_url)),
                social=Social(Peer(client, tokens, "social", settings.social_url)),
                media=Media(Peer(client, tokens, "media", settings.media_url)),
                limits=settings.limits,
                lanes=settings.lanes,
                trace_sample=settings.trace_sample,
                lane_commands=settings.lane_commands,
                overload=state.overload,
                timings=timings,
            )
            gateway.tell_meters()
            verifier = Verifier(client, settings)
            state.verify = verifier.verify
            state.required_checks = {
                "redis": partial(check_redis, redis),
                "auth": partial(gateway.auth.standing, []),
                "rooms": partial(gateway.rooms.revisions, []),
                "social": partial(gateway.social.revisions, []),
                "keys of auth": verifier.check,
            }
            await stack.enter_async_context(gateway.lanes.running())
            await stack.enter_async_context(gateway.subscriber.running())
            await stack.enter_async_context(gateway.presence.running())
            for name, work, pause in (
                ("ephemeral", gateway.ephemeral.run, 0.0),
                ("user changes", partial(follow_changes, gateway), 0.0),
                ("user check", partial(check_users, gateway), 0.0),
                ("read cursors", gateway.flush_cursors, timings.cursor_flush),
            ):
                await stack.enter_async_context(background(name, work, pause=pause))
            collector = Collector(client, processes(settings))
            operators = frozenset(webchat_id.lower() for webchat_id in settings.operators)
            handshake = Handshake(verifier.verify)
            yield {"gateway": gateway, "handshake": handshake, "collector": collector, "operators": operators}

    return create_service(settings, title="WebChat chat-gateway", routers=[routes.router], lifespan=lifespan)


def processes(settings: GatewaySettings) -> dict[str, list[str]]:
    """Where everything is that /ops tells of; the canary first, if there is one."""
    return {
        **({"canary": [settings.canary_url]} if settings.canary_url else {}),
        "chat-gateway": settings.chat_gateway_url,
        "rooms": [settings.rooms_url],
        "auth": [settings.auth_url],
        "social": [settings.social_url],
        "media": [settings.media_url],
    }
