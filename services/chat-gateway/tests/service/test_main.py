"""The composition: a gateway on a port, with in-memory services on other ports.

Each background task, readiness check and setting of `composition` has a test that fails without it.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from chat_gateway.driver.gateway import Gateway
from chat_gateway.main import create_app
from chat_gateway.protocol.limits import SUBPROTOCOL
from chat_gateway.settings import GatewaySettings
from chat_gateway.timings import DEFAULT_TIMINGS, Timings
from chat_gateway.transport.socket import Socket
from shared.contracts.auth import ServiceTokenRequest
from shared.contracts.rooms import LeaveRoom, Result
from shared.errors import Unavailable
from shared.ids import new_id
from shared.roomlog.keys import live_channel
from shared.rpc.tokens import TOKEN_HEADER, Principal
from shared.streams.names import presence_key
from shared.streams.notifications import UserChanged, publish_notifications
from shared.testing.fixtures import eventually
from shared.testing.servers import free_port
from shared.web.overload import Overload
from shared.web.state import state_of

from ..harness import QUICK, AuthService, MediaService, RoomsService, SocialService  # noqa: TID252 - tests of one service

SECRET = "s" * 40
MINJI, JUNHO = new_id(), new_id()
QUICK_BUT_CHECKS = msgspec.structs.replace(QUICK, user_check=60)


class SocketClient:
    """A client of a gateway that records frames."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                self.frames.append(json.loads(text))
        except ConnectionClosed:
            return

    async def send(self, op: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"op": op} | fields))

    async def event(self, op: str) -> dict[str, Any]:
        """Wait for the first frame with this op."""
        found: dict[str, Any] = await eventually(lambda: next((one for one in self.frames if one["op"] == op), None))
        return found

    async def request(self, op: str, **fields: Any) -> dict[str, Any]:
        frame_id = new_id()
        await self.send(op, id=frame_id, **fields)
        reply: dict[str, Any] = await eventually(
            lambda: next((one for one in self.frames if one.get("id") == frame_id), None)
        )
        return reply

    async def closed(self) -> int | None:
        async with asyncio.timeout(10):
            await self.reading
        return self.socket.close_code


class Stack:
    """In-memory services on ports, and gateways that use them."""

    def __init__(self, redis: Redis, urls: dict[str, str], services: tuple[Any, ...], endpoint: list[str]) -> None:
        self.redis, self.urls = redis, urls
        self.rooms: RoomsService
        self.social: SocialService
        self.auth: AuthService
        self.media: MediaService
        self.rooms, self.social, self.auth, self.media = services
        self.settings = {f"{name}_url": url for name, url in urls.items()} | {
            "redis_endpoint": endpoint, "service_secret": SECRET, "rate_limits": False, "trace_sample": 0,
            "drain_seconds": 0,
        }  # fmt: skip

    @asynccontextmanager
    async def gateway(self, timings: Timings = QUICK, **settings: Any) -> AsyncIterator["ServedGateway"]:
        port = free_port()
        app = create_app(GatewaySettings(_env_file=None, **(self.settings | settings)), timings)
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="on", ws=Socket))
        task = asyncio.create_task(server.serve())
        await eventually(lambda: server.started)
        async with AsyncExitStack() as stack:
            stack.callback(setattr, server, "should_exit", True)
            served = ServedGateway(self, port, server, task, state_of(app).overload)
            yield served
        await task


class ServedGateway:
    """A running gateway."""

    def __init__(
        self, stack: Stack, port: int, server: uvicorn.Server, task: "asyncio.Task[None]", overload: Overload
    ) -> None:
        self._stack, self._port, self._server, self._task = stack, port, server, task
        self.overload = overload

    @property
    def instance(self) -> Gateway:
        gateway: Gateway = self._server.lifespan.state["gateway"]
        return gateway

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._port}") as client:
            return await client.get(path)

    async def number(self, name: str) -> float:
        """Return the value of a metric without labels."""
        lines = (await self.get("/metrics")).text.splitlines()
        [value] = [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]
        return float(value)

    @asynccontextmanager
    async def socket(self, principal: Principal, audience: str = "chat-gateway") -> AsyncIterator[ClientConnection]:
        async with connect(
            f"ws://127.0.0.1:{self._port}/api/chat/ws",
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers={TOKEN_HEADER: self._stack.auth.token(principal, audience)},
        ) as socket:
            yield socket

    @asynccontextmanager
    async def connect(self, user_id: str) -> AsyncIterator[SocketClient]:
        """Connect as a user and wait until the connection is live."""
        principal = signed_in(self._stack, user_id)
        async with self.socket(principal) as socket:
            client = SocketClient(socket)
            await client.send("hello")
            await client.event("ready")
            connections = self.instance.connections.users[user_id].connections
            await eventually(lambda: all(connection.live for connection in connections))
            yield client
        await client.reading

    async def stop(self) -> None:
        self._server.should_exit = True
        await self._task


def signed_in(stack: Stack, user_id: str) -> Principal:
    session_id = new_id()
    stack.auth.sign_in(user_id, session_id)
    return Principal("user", user_id, session_id)


@pytest.fixture
async def stack(redis: Redis, redis_endpoint: list[str]) -> AsyncIterator[Stack]:
    services = RoomsService(), SocialService(), AuthService(), MediaService()
    async with AsyncExitStack() as opened:
        urls = {service.name: await opened.enter_async_context(service.on_a_port()) for service in services}
        yield Stack(redis, urls, services, redis_endpoint)


# Access


async def test_a_service_cannot_open_a_socket(stack: Stack):
    """Its token is valid for the gateway, but not a user's."""
    async with stack.gateway() as gateway:
        async with gateway.socket(signed_in(stack, MINJI)):
            pass
        for principal, audience in (
            (Principal("service", "rooms"), "chat-gateway"),
            (Principal("service", MINJI, "session"), "chat-gateway"),
            (Principal("user", MINJI, "session"), "rooms"),
        ):
            with pytest.raises(InvalidStatus) as rejected:
                async with gateway.socket(principal, audience):
                    pass
            assert rejected.value.response.status_code == 401
        assert gateway.instance.connections.users == {}


# Readiness


async def missing(gateway: ServedGateway) -> list[str]:
    response = await gateway.get("/readyz")
    names: list[str] = response.json()["missing"]
    assert response.status_code == (503 if names else 200)
    return names


async def test_the_gateway_is_ready_if_all_dependencies_answer(stack: Stack):
    async with stack.gateway() as gateway:
        assert await missing(gateway) == []


@pytest.mark.parametrize(
    ("service", "path", "name"),
    [
        ("auth", "sessions", "auth"),
        ("auth", "keys", "keys of auth"),
        ("rooms", "revisions", "rooms"),
        ("social", "revisions", "social"),
    ],
)
async def test_the_gateway_is_not_ready_without_a_dependency(stack: Stack, service: str, path: str, name: str):
    getattr(stack, service).errors_at[path] = Unavailable("away")
    async with stack.gateway() as gateway:
        assert await missing(gateway) == [name]
        getattr(stack, service).errors_at.clear()
        assert await missing(gateway) == []


async def test_the_gateway_is_not_ready_without_redis(stack: Stack):
    async with stack.gateway(redis_endpoint=[f"127.0.0.1:{free_port()}"]) as gateway:
        assert await missing(gateway) == ["redis"]


# Background work


async def test_messages_are_sent_and_delivered(stack: Stack):
    """The command queues and the subscriber run."""
    room_id = stack.rooms.create(MINJI, JUNHO)
    async with stack.gateway() as gateway, gateway.connect(MINJI) as minji, gateway.connect(JUNHO) as junho:
        received, delivered = (
            await gateway.number("webchat_events_received_total"),
            gateway.instance.live_rooms.hub.delivered,
        )
        sent = await minji.request("message.send", room_id=room_id, client_id=new_id(), body="hello")
        assert (sent["op"], sent["seq"]) == ("ok", 1)
        await stack.rooms.publish(stack.redis, room_id)
        for client in (minji, junho):
            assert (await client.event("message.created"))["body"] == "hello"
        assert await gateway.number("webchat_events_received_total") == received + 1
        assert await gateway.number("webchat_events_delivered_total") == delivered + 2


async def test_each_service_gets_a_token_for_it(stack: Stack):
    """Also checks the addresses: an in-memory service rejects tokens for another one."""
    room_id = stack.rooms.create(MINJI)
    async with stack.gateway() as gateway, gateway.connect(MINJI) as minji:
        file = {"client_id": new_id(), "filename": "a.png", "data": "AAAA"}
        assert (await minji.request("file.upload", room_id=room_id, **file))["op"] == "ok"
    tokens = stack.auth.requests_to("token")
    assert {token.audience for token in tokens} == {"rooms", "auth", "social", "media"}
    assert tokens[0] == ServiceTokenRequest(service="chat-gateway", secret=SECRET, audience=tokens[0].audience)


async def test_typing_is_delivered(stack: Stack):
    room_id = stack.rooms.create(MINJI, JUNHO)
    async with stack.gateway() as gateway, gateway.connect(MINJI) as minji, gateway.connect(JUNHO) as junho:
        await minji.send("room.typing", room_id=room_id, typing=True)
        assert (await junho.event("room.typing"))["user_id"] == MINJI


async def test_changes_are_synchronised(stack: Stack):
    room_id = stack.rooms.create(JUNHO)
    async with stack.gateway(DEFAULT_TIMINGS) as gateway, gateway.connect(MINJI) as minji:
        await eventually(lambda: not gateway.instance.user_sync.changed)
        stack.rooms.add(room_id, MINJI)
        await publish_notifications(stack.redis, [(MINJI, UserChanged("rooms", 1))])
        assert (await minji.event("room.added"))["room"]["room_id"] == room_id


async def test_changes_without_a_notification_are_found(stack: Stack):
    room_id = stack.rooms.create(JUNHO)
    async with stack.gateway() as gateway, gateway.connect(MINJI) as minji:
        await eventually(lambda: not gateway.instance.user_sync.changed)
        stack.rooms.add(room_id, MINJI)
        assert (await minji.event("room.added"))["room"]["room_id"] == room_id


async def test_an_ended_session_is_noticed_without_a_notification(stack: Stack):
    async with stack.gateway() as gateway, gateway.connect(MINJI) as minji:
        stack.auth.sessions.clear()
        assert await minji.closed() == 4401


async def test_a_revoked_session_is_noticed_without_a_notification(stack: Stack):
    async with stack.gateway(QUICK_BUT_CHECKS) as gateway, gateway.connect(MINJI) as minji:
        for session_id in list(stack.auth.sessions):
            stack.auth.revoke(session_id)
        assert await minji.closed() == 4401
        assert minji.frames[-1]["op"] == "session.revoked"


async def test_moved_cursors_are_sent(stack: Stack):
    room_id = stack.rooms.create(MINJI)
    async with stack.gateway() as gateway, gateway.connect(MINJI) as minji:
        message = b"0 0 r\n" + msgspec.json.encode({JUNHO: 3})
        await stack.redis.execute_command("SPUBLISH", live_channel(stack.rooms.epoch, room_id), message)
        assert (await minji.event("room.read"))["cursors"] == {JUNHO: 3}


async def test_presence_is_refreshed_and_sent(stack: Stack):
    stack.rooms.create(MINJI, JUNHO)
    async with stack.gateway() as gateway, gateway.connect(MINJI) as minji:
        assert (await minji.request("presence.watch", user_ids=[JUNHO]))["presence"] == {JUNHO: "offline"}
        async with gateway.connect(JUNHO):
            assert (await minji.event("presence"))["status"] == "online"
            key, [(connection, score)] = (
                presence_key(JUNHO),
                await stack.redis.zrange(presence_key(JUNHO), 0, -1, withscores=True),
            )

            async def refreshed() -> bool:
                return float(await stack.redis.zscore(key, connection)) > score

            await eventually(refreshed)
        await eventually(
            lambda: [one["status"] for one in minji.frames if one["op"] == "presence"] == ["online", "offline"]
        )


async def test_an_event_whose_publication_was_missed_is_found_in_the_log(stack: Stack):
    """The head check runs."""
    room_id = stack.rooms.create(MINJI, JUNHO)
    async with stack.gateway() as gateway, gateway.connect(MINJI) as minji:
        stack.rooms.add_message(room_id, JUNHO, "missed")
        gateway.instance.live_rooms.subscriber._handlers[live_channel(stack.rooms.epoch, room_id)] = lambda _: None
        await stack.rooms.publish(stack.redis, room_id)
        assert (await minji.event("message.created"))["body"] == "missed"


# Settings


async def test_limits_come_from_the_settings(stack: Stack):
    async with (
        stack.gateway(heartbeat_seconds=7, sockets_per_user=1) as gateway,
        gateway.connect(MINJI) as first,
        gateway.connect(MINJI) as second,
    ):
        assert await first.closed() == 4409
        assert (await second.event("ready"))["heartbeat"] == 7


async def test_command_queues_come_from_the_settings(stack: Stack):
    async with stack.gateway(lanes=3, lane_commands=64) as gateway:
        assert [queue._capacity for queue in gateway.instance.command_queues._queues] == [64] * 3


@pytest.mark.parametrize(("share", "actions"), [(1, ["rooms.commands", "message.send"]), (0, [])])
async def test_the_sampling_rate_comes_from_the_settings(
    stack: Stack, spans: list[dict[str, Any]], share: float, actions: list[str]
):
    room_id = stack.rooms.create(MINJI)
    async with stack.gateway(trace_sample=share) as gateway, gateway.connect(MINJI) as minji:
        assert (await minji.request("message.send", room_id=room_id, client_id=new_id(), body="x"))["op"] == "ok"
        sampled = [span["event.action"] for span in spans if span["event.action"] in {"rooms.commands", "message.send"}]
        assert sampled == actions


async def test_the_fill_level_of_the_command_queues_counts_as_load(stack: Stack):
    """With a full command queue, queries for history are rejected."""
    room_id = stack.rooms.create(MINJI)
    async with stack.gateway(lanes=1, lane_commands=64) as gateway, gateway.connect(MINJI) as minji:
        stack.rooms.pause()
        results: list[Result] = []
        for waiting in (0, 64):
            for number in range(max(1, waiting)):
                leave = LeaveRoom(command_id=f"{number}", room_id=room_id, user_id=JUNHO)
                gateway.instance.command_queues.submit(leave, "c", results.append)
            await eventually(
                lambda waiting=waiting: (
                    stack.rooms.requests_to("commands") and gateway.instance.command_queues.depth == waiting
                )
            )
        assert await gateway.number("webchat_lane_depth_commands") == 64
        assert await gateway.number("webchat_lane_deepest_commands") == 64
        await eventually(lambda: gateway.overload.load > 0.75)
        assert (await minji.request("message.list", room_id=room_id, before=9))["code"] == "unavailable"
        stack.rooms.resume()
        await eventually(lambda: len(results) == 65)


async def test_metrics_show_the_values_of_the_gateway(stack: Stack):
    stack.rooms.create(MINJI)
    async with stack.gateway() as gateway:
        names = ("webchat_connections", "webchat_users", "webchat_hub_rooms", "webchat_sockets")
        before = [await gateway.number(name) for name in names]
        assert before[:3] == [0, 0, 0]
        async with gateway.connect(MINJI), gateway.connect(MINJI), gateway.connect(JUNHO):
            assert [await gateway.number(name) for name in names] == [3, 2, 1, before[3] + 3]


# Shutdown


async def test_a_stopped_gateway_closes_all_connections(stack: Stack):
    async def connections() -> int:
        return len(await stack.redis.client_list())

    before = await connections()
    async with stack.gateway() as gateway, gateway.connect(MINJI) as minji:
        assert await connections() > before
        await gateway.stop()
        assert await minji.closed() == 1001
    await eventually(lambda: _is(connections, before))
    assert await stack.redis.zcard(presence_key(MINJI)) == 0


async def _is(count: Any, expected: int) -> bool:
    return bool(await count() == expected)
