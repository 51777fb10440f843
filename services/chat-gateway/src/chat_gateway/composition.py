"""The composition of a gateway: its parts, the readiness checks, and the background work."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

from fastapi import FastAPI

from chat_gateway.clients.auth import Auth
from chat_gateway.clients.media import Media
from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from chat_gateway.command_queue import QUEUE_COMMANDS, CommandQueues
from chat_gateway.driver.connections import Connections
from chat_gateway.driver.effects import EffectRunner
from chat_gateway.driver.gateway import Gateway
from chat_gateway.driver.joining import RoomJoiner
from chat_gateway.driver.live_rooms import LiveRooms
from chat_gateway.driver.lookups import Lookups
from chat_gateway.driver.performing.attachments import Attachments
from chat_gateway.driver.performing.newest_page import NewestPages
from chat_gateway.driver.performing.perform import Performer
from chat_gateway.driver.performing.queries import Queries
from chat_gateway.driver.performing.submitting import CommandSubmitter
from chat_gateway.driver.performing.typing_publisher import TypingPublisher
from chat_gateway.driver.revocations import Revocations
from chat_gateway.driver.room_sync import RoomSync
from chat_gateway.driver.start import Starter
from chat_gateway.driver.tasks import ConnectionTasks
from chat_gateway.driver.user_sync import UserSync
from chat_gateway.ephemeral import EphemeralPublisher
from chat_gateway.presence import Presence
from chat_gateway.protocol.limits import Limits
from chat_gateway.settings import GatewaySettings
from chat_gateway.socket_limit import SocketLimit
from chat_gateway.timings import DEFAULT_TIMINGS, Timings
from chat_gateway.transport.handshake import Handshake
from shared.ids import new_id
from shared.redis.circuit_breaker import CircuitBreaker
from shared.redis.client import AnyRedis, check_redis, close_redis, connect_redis
from shared.redis.person_rate import upload_rate
from shared.rpc.client import Client, Peer, ServiceTokens, Verifier, http_client
from shared.tasks import background
from shared.web.overload import Overload
from shared.web.state import state_of


class LifespanState(TypedDict):
    """The state that sockets and routes get from the lifespan."""

    gateway: Gateway
    handshake: Handshake


@dataclass(frozen=True, kw_only=True)
class Services:
    """The other services."""

    auth: Auth
    social: Social
    rooms: Rooms
    media: Media


@asynccontextmanager
async def running(app: FastAPI, *, settings: GatewaySettings, timings: Timings) -> AsyncIterator[LifespanState]:
    """The lifespan of the application: connect, run the background work, and disconnect."""
    state = state_of(app)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(http_client())
        redis = connect_redis(settings)
        stack.push_async_callback(close_redis, redis)
        services = _connect_services(settings, client)
        gateway = build_gateway(
            services,
            redis,
            state.overload,
            limits=settings.limits,
            partitions=settings.lanes,
            queue_capacity=settings.lane_commands,
            trace_sample=settings.trace_sample,
            timings=timings,
        )
        gateway.register_metrics()
        verifier = Verifier(client, settings)
        state.required_checks = {
            "redis": partial(check_redis, redis),
            "auth": partial(services.auth.active_sessions, []),
            "rooms": partial(services.rooms.revisions, []),
            "social": partial(services.social.revisions, []),
            "keys of auth": verifier.check,
        }
        await _start_background_work(gateway, stack)
        yield {"gateway": gateway, "handshake": Handshake(verifier.verify)}


def _connect_services(settings: GatewaySettings, client: Client) -> Services:
    tokens = ServiceTokens(client, settings)
    return Services(
        auth=Auth(Peer(client, tokens, "auth", settings.auth_url)),
        social=Social(Peer(client, tokens, "social", settings.social_url)),
        rooms=Rooms(Peer(client, tokens, "rooms", settings.rooms_url)),
        media=Media(Peer(client, tokens, "media", settings.media_url)),
    )


def build_gateway(
    services: Services,
    redis: AnyRedis,
    overload: Overload,
    *,
    limits: Limits,
    partitions: int,
    queue_capacity: int = QUEUE_COMMANDS,
    trace_sample: float = 0,
    timings: Timings = DEFAULT_TIMINGS,
) -> Gateway:
    """Put a gateway together. A part gets the parts below it; those report back through the functions given here."""
    auth, social, rooms, breaker = services.auth, services.social, services.rooms, CircuitBreaker(redis)
    live_rooms = LiveRooms(
        redis,
        rooms,
        overload,
        timings,
        on_new_epoch=lambda: connections.close_all(),  # noqa: PLW0108 - it is defined below
        on_lost=lambda: user_sync.check_now.set(),  # noqa: PLW0108 - it is defined below
    )
    subscriber, subscriptions = live_rooms.subscriber, live_rooms.subscriptions
    queues = CommandQueues(
        rooms, live_rooms.adopt_epoch, partitions=partitions, capacity=queue_capacity, timings=timings
    )
    overload.watch(lambda: queues.fill_level)
    ephemeral, tasks, lookups = EphemeralPublisher(redis), ConnectionTasks(), Lookups(auth, rooms, social)
    gateway_id = new_id()
    presence = Presence(redis, gateway_id, rooms, social, subscriber, ephemeral, overload, timings)
    connections = Connections(
        subscriber,
        subscriptions,
        presence,
        tasks,
        reject_commands=queues.reject,
        on_user_changed=lambda *changed: user_sync.user_changed(*changed),  # noqa: PLW0108 - it is defined below
    )
    joiner = RoomJoiner(live_rooms)
    room_sync = RoomSync(live_rooms, joiner, tasks, rooms)
    user_sync = UserSync(connections, live_rooms, room_sync, presence, timings, auth=auth, rooms=rooms, social=social)
    socket_limit = SocketLimit(redis, gateway_id, limit=limits.sockets_per_user, timings=timings)
    starter = Starter(
        connections, live_rooms, joiner, user_sync, presence, lookups, socket_limit, limits=limits, timings=timings
    )
    submitter, newest_pages = CommandSubmitter(queues, trace_sample), NewestPages(breaker, rooms, live_rooms)
    performer = Performer(
        submitter,
        Queries(rooms, lookups.friends, live_rooms, newest_pages, presence, queues, overload),
        newest_pages,
        Attachments(services.media, upload_rate(breaker, on=limits.rates), submitter),
        TypingPublisher(subscriptions, ephemeral, overload),
        tasks,
    )
    return Gateway(
        connections=connections,
        user_sync=user_sync,
        revocations=Revocations(connections, auth, check_all=user_sync.check_now.set),
        live_rooms=live_rooms,
        presence=presence,
        socket_limit=socket_limit,
        command_queues=queues,
        ephemeral=ephemeral,
        tasks=tasks,
        effects=EffectRunner(performer, starter, tasks),
        limits=limits,
        timings=timings,
    )


async def _start_background_work(gateway: Gateway, stack: AsyncExitStack) -> None:
    await stack.enter_async_context(gateway.command_queues.running())
    await stack.enter_async_context(gateway.live_rooms.running())
    await stack.enter_async_context(gateway.presence.running())
    await stack.enter_async_context(gateway.socket_limit.running())
    pause = gateway.timings.revocations
    await stack.enter_async_context(background("revocations", gateway.revocations.poll, pause=pause, longest=pause))
    for name, work, pause in (
        ("ephemeral", gateway.ephemeral.run, 0.0),
        ("user changes", gateway.user_sync.changed.run, 0.0),
        ("user starts", gateway.user_sync.started.run, 0.0),
        ("user check", gateway.user_sync.check, 0.0),
        ("read cursors", gateway.live_rooms.flush_cursors, gateway.timings.cursor_flush),
    ):
        await stack.enter_async_context(background(name, work, pause=pause))
