"""The gateway's clients of other services, against the real auth, social and rooms, each on a separate port."""

import asyncio
import json
import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError
from websockets.typing import Subprotocol

from auth.main import create_app as create_auth
from auth.settings import AuthSettings
from chat_gateway.clients.auth import Auth
from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from chat_gateway.command_queue import OUTCOME_UNKNOWN, SESSION_GONE, CommandQueues
from chat_gateway.event_loader import EventLoader
from chat_gateway.main import create_app as create_gateway
from chat_gateway.protocol.limits import SUBPROTOCOL
from chat_gateway.settings import GatewaySettings
from chat_gateway.timings import Timings
from chat_gateway.transport.socket import Socket
from rooms.main import create_app as create_rooms
from rooms.settings import RoomsSettings
from shared.contracts.limits import MAX_INTEGER
from shared.contracts.rooms import (
    Accepted,
    DeleteMessage,
    EditMessage,
    PageChoice,
    ReadRoom,
    Rejected,
    Result,
    SendMessage,
)
from shared.contracts.social import Relationships
from shared.errors import NotFound, Unavailable
from shared.ids import new_id
from shared.metrics import REGISTRY
from shared.roomlog.frames import decode_frame
from shared.rpc.client import Peer, ServiceTokens, http_client
from shared.rpc.tokens import TOKEN_HEADER
from shared.testing.fixtures import eventually, on_both_engines
from shared.testing.forwarding import forwarding
from shared.testing.servers import free_port
from social.main import create_app as create_social
from social.settings import SocialSettings

SECRET = "s" * 40


@asynccontextmanager
async def served(app: FastAPI, port: int, **options: Any) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="on", **options))
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@dataclass
class Providers:
    auth: Auth
    social: Social
    rooms: Rooms
    redis: Redis
    urls: dict[str, str]
    stops: dict[str, AsyncExitStack]
    common: dict[str, Any]
    auth_settings: AuthSettings

    async def sign_up(self, name: str) -> str:
        async with httpx.AsyncClient(base_url=self.urls["auth"]) as client:
            account = {"email": f"{name}@example.com", "password": "correct horse battery", "webchat_id": name}
            response = await client.post("/api/auth/signup", json=account | {"display_name": name})
            assert response.status_code == 201, response.text
            self.cookie = client.cookies["webchat_session"]
            return str(response.json()["user_id"])

    async def token(self, audience: str) -> dict[str, str]:
        """Return the header that nginx adds for the user who signed up last."""
        async with httpx.AsyncClient(cookies={"webchat_session": self.cookie}) as client:
            response = await client.get(f"{self.urls['auth']}/check?audience={audience}")
        return {TOKEN_HEADER: response.headers[TOKEN_HEADER]}

    async def put(self, service: str, path: str) -> None:
        """Send a PUT request of the user who signed up last, until the service knows the account."""
        async with httpx.AsyncClient(base_url=self.urls[service], headers=await self.token(service)) as client:

            async def done() -> bool:
                return (await client.put(path)).status_code == 204

            await eventually(done)

    async def group(self, user_id: str) -> str:
        """Create a group of the user who signed up last."""
        room = {"kind": "group", "title": "Room", "user_ids": []}
        async with httpx.AsyncClient(headers=await self.token("rooms")) as client:
            response = await client.post(self.urls["rooms"] + "/api/rooms", json=room)
        assert response.status_code == 201, (user_id, response.text)
        return str(response.json()["room_id"])


@pytest.fixture
async def providers(tmp_path: Path, redis_endpoint: list[str], redis: Redis) -> AsyncIterator[Providers]:
    ports = {name: free_port() for name in ("auth", "social", "rooms")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    common = {"redis_endpoint": redis_endpoint, "service_secret": SECRET, "webchat_data": tmp_path}
    common |= {f"{name}_url": url for name, url in urls.items()}
    secrets = dict.fromkeys((f"{name}_service_secret" for name in ("social", "rooms", "media", "chat_gateway")), SECRET)
    auth = AuthSettings(
        _env_file=None, **common, **secrets, session_secret_key=SECRET, rate_limits=False, argon2_time_cost=1,
        argon2_memory_kib=8,
    )  # fmt: skip
    apps = {
        "auth": create_auth(auth),
        "social": create_social(SocialSettings(_env_file=None, **common)),
        "rooms": create_rooms(RoomsSettings(_env_file=None, **common)),
    }
    stops: dict[str, AsyncExitStack] = {}
    async with http_client() as client:
        for name, app in apps.items():
            stops[name] = AsyncExitStack()
            await stops[name].enter_async_context(served(app, ports[name]))
        tokens = ServiceTokens(client, GatewaySettings(_env_file=None, **common))
        peers = {name: Peer(client, tokens, name, url) for name, url in urls.items()}
        clients = Auth(peers["auth"]), Social(peers["social"]), Rooms(peers["rooms"])
        yield Providers(*clients, redis, urls, stops, common, auth)
    for name in ("rooms", "social", "auth"):
        await stops[name].aclose()


def send(room_id: str, user_id: str, body: str) -> SendMessage:
    return SendMessage(command_id="", room_id=room_id, user_id=user_id, client_id=str(uuid.uuid4()), body=body)


async def test_auth_returns_active_sessions(providers: Providers):
    user_id = await providers.sign_up("minji")
    async with httpx.AsyncClient(base_url=providers.urls["auth"], cookies={"webchat_session": providers.cookie}) as c:
        session_id = (await c.get("/api/auth/sessions")).json()["items"][0]["session_id"]
        active = await providers.auth.active_sessions([session_id, new_id()])
        assert {key: user.user_id for key, user in active.items()} == {session_id: user_id}
        await c.post("/api/auth/logout")
    assert await providers.auth.active_sessions([session_id]) == {}


async def test_social_returns_friends_revisions_and_relationships(providers: Providers):
    social, junho, minji, sora = (
        providers.social,
        *[await providers.sign_up(name) for name in ("junho", "minji", "sora")],
    )
    assert (await social.pairs(sora, [minji, junho])).followed == []
    await providers.put("social", f"/api/social/following/{junho}")
    await providers.put("social", f"/api/social/blocks/{minji}")
    friends = await social.friends([sora, junho])
    assert {user: [one.user_id for one in of.profiles] for user, of in friends.items()} == {sora: [junho], junho: []}
    assert friends[sora].revision > 0
    assert await social.revisions([sora, junho]) == {user: of.revision for user, of in friends.items()}
    assert await social.pairs(sora, [minji, junho]) == Relationships([junho], [])
    assert await social.pairs(junho, [sora]) == Relationships([sora], [])
    assert await social.pairs(minji, [sora]) == Relationships([], [sora])


async def test_rooms_returns_room_lists_memberships_pages_and_events(providers: Providers):
    user_id = await providers.sign_up("minji")
    room_id, rooms = await providers.group(user_id), providers.rooms
    for body in ("one", "two"):
        [done] = (await rooms.commands([send(room_id, user_id, body)], budget_ms=3000, timeout=5)).results
        assert isinstance(done, Accepted)
    room_lists = await rooms.room_lists({user_id: None})
    [entry] = room_lists.users[user_id].rooms
    assert (entry.room.room_id, entry.room.last_seq, entry.room.unread) == (room_id, 2, 0)
    memberships = await rooms.memberships([user_id])
    assert memberships.users[user_id].rooms[room_id] == entry.membership
    assert (await rooms.revisions([user_id])).revisions == {user_id: memberships.users[user_id].revision}
    page = await rooms.messages(user_id, room_id, PageChoice(limit=1))
    assert ([m.body for m in page.messages], page.has_more) == (["two"], True)
    entered = await rooms.enter(user_id, room_id)
    assert (entered.version, [m.body for m in entered.messages]) == (done.version, ["one", "two"])
    assert (await rooms.room_list_page(user_id, None, 10)).rooms == [entry.room]
    events = (await rooms.events({room_id: 1})).rooms[room_id]
    assert (len(events.events), events.head, events.gone) == (done.version - 1, done.version, False)
    assert (await rooms.shared_with(user_id, [new_id()])).user_ids == []
    with pytest.raises(NotFound):
        await rooms.enter(new_id(), room_id)


@on_both_engines
async def test_the_log_is_the_same_from_redis_and_from_rooms(providers: Providers):
    user_id = await providers.sign_up("minji")
    room_id, loader = await providers.group(user_id), EventLoader(providers.redis, providers.rooms)
    commands = [send(room_id, user_id, "one"), send(room_id, user_id, "two")]
    response = await providers.rooms.commands(commands, budget_ms=3000, timeout=5)
    head = response.results[-1].version if isinstance(response.results[-1], Accepted) else 0

    async def published() -> bool:
        return (await loader.lagging(response.epoch, {room_id: head - 1})) != {}

    await eventually(published)
    from_redis = (await loader.load_after(response.epoch, {room_id: 1}))[room_id]
    await providers.redis.flushall()
    from_rooms = (await loader.load_after(response.epoch, {room_id: 1}))[room_id]
    assert list(map(decode_frame, from_redis.frames)) == list(map(decode_frame, from_rooms.frames))
    assert (from_rooms.complete, from_rooms.gone) == (True, False)
    assert (await loader.load_after(response.epoch, {room_id: head + 5}))[room_id].gone


async def test_command_queues_keep_order_form_batches_and_answer_each_command_once(providers: Providers):
    user_id = await providers.sign_up("minji")
    room_id, epochs = await providers.group(user_id), set[str]()
    queues = CommandQueues(providers.rooms, epochs.add, partitions=4)
    results: list[tuple[int, Result]] = []
    async with queues.running():
        for number in range(200):
            queues.submit(
                send(room_id, user_id, f"{number}"), "c", lambda result, n=number: results.append((n, result))
            )  # type: ignore[misc]
        last = ReadRoom(command_id=new_id(), room_id=room_id, user_id=user_id, seq=MAX_INTEGER)
        for _ in range(3):
            queues.submit(last, "c", lambda result: results.append((-1, result)))
        await eventually(lambda: len(results) == 203)
    sends = [(n, result.seq) for n, result in results if n >= 0 and isinstance(result, Accepted)]
    assert sends == [(n, n + 1) for n in range(200)]
    assert {result.read_seq for n, result in results if n < 0 and isinstance(result, Accepted)} == {200}
    assert len(epochs) == 1


async def test_a_rejected_command_does_not_affect_others_of_its_batch(providers: Providers):
    user_id = await providers.sign_up("minji")
    room_id = await providers.group(user_id)
    queues, results = CommandQueues(providers.rooms, lambda _: None, partitions=1), list[Result]()
    async with queues.running():
        for command in (
            send(room_id, user_id, "one"),
            EditMessage(command_id=new_id(), room_id=room_id, user_id=user_id, seq=99, body="x"),
            send(new_id(), user_id, "nowhere"),
            DeleteMessage(command_id=new_id(), room_id=room_id, user_id=user_id, seq=1),
        ):
            queues.submit(command, "c", results.append)
        await eventually(lambda: len(results) == 4)
    kinds = [result.code if isinstance(result, Rejected) else "done" for result in results]
    assert kinds == ["done", "not_found", "not_found", "done"]


async def test_queued_commands_of_a_revoked_session_are_rejected(providers: Providers):
    user_id = await providers.sign_up("minji")
    room_id = await providers.group(user_id)
    queues, results = CommandQueues(providers.rooms, lambda _: None, partitions=1), list[Result]()
    for connection_id in ("ended", "active", "ended"):
        queues.submit(send(room_id, user_id, connection_id), connection_id, results.append)
    queues.reject("ended")
    assert results == [SESSION_GONE] * 2
    async with queues.running():
        await eventually(lambda: len(results) == 3)
    page = await providers.rooms.messages(user_id, room_id, PageChoice())
    assert [message.body for message in page.messages] == ["active"]


async def test_if_rooms_stays_unavailable_all_queued_commands_fail(providers: Providers):
    user_id = await providers.sign_up("minji")
    room_id = await providers.group(user_id)
    timings = Timings(command_request=1, command_give_up=1.2)
    queues, results = CommandQueues(providers.rooms, lambda _: None, partitions=1, timings=timings), list[Result]()
    async with http_client() as client:
        with pytest.raises(Unavailable):
            await Rooms(Peer(client, _NoTokens(), "rooms", "http://127.0.0.1:1")).revisions([])
    await providers.stops["rooms"].aclose()
    async with queues.running():
        for number in range(5):
            queues.submit(send(room_id, user_id, f"{number}"), "c", results.append)
        await eventually(lambda: len(results) == 5)
    assert results == [OUTCOME_UNKNOWN] * 5


class _NoTokens(ServiceTokens):
    def __init__(self) -> None:
        """Do without a client for auth."""

    async def get(self, audience: str) -> str:
        return audience


@asynccontextmanager
async def connected(providers: Providers, **settings: Any) -> AsyncIterator[ClientConnection]:
    """Start a gateway, connect as the user who signed up last, and wait for `ready`."""
    port, app = free_port(), create_gateway(GatewaySettings(_env_file=None, **(providers.common | settings)))
    async with (
        served(app, port, ws=Socket),
        connect(
            f"ws://127.0.0.1:{port}/api/chat/ws",
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers=await providers.token("chat-gateway"),
        ) as socket,
    ):
        await socket.send('{"op":"hello","id":"hello"}')
        await reply_to(socket, None)
        yield socket


async def frames_until_closed(socket: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    async with asyncio.timeout(10):
        try:
            async for text in socket:
                yield json.loads(text)
        except ConnectionClosedError:
            return


async def reply_to(socket: ClientConnection, frame_id: str | None) -> dict[str, Any]:
    """Receive frames until the reply to a frame, or until `ready` if the id is None."""
    async with asyncio.timeout(20):
        async for text in socket:
            frame: dict[str, Any] = json.loads(text)
            if frame["op"] == "ready" if frame_id is None else frame.get("id") == frame_id:
                return frame
    raise AssertionError("the socket was closed")


def metric(name: str, kind: str | None = None) -> float:
    return REGISTRY.get_sample_value(name, {} if kind is None else {"class": kind}) or 0


def encode_frame(op: str, frame_id: str | None, room_id: str, **fields: Any) -> str:
    return json.dumps({"op": op, "id": frame_id, "room_id": room_id} | fields)


async def test_a_revocation_ends_sockets_while_redis_hangs(providers: Providers):
    """Redis accepts calls of auth and of the gateway, and never answers."""
    async with AsyncExitStack() as stack:
        await providers.sign_up("minji")
        redis = await stack.enter_async_context(forwarding(int(providers.common["redis_endpoint"][0].split(":")[-1])))
        hung = {"redis_endpoint": [f"127.0.0.1:{redis.port}"]}
        port, auth = free_port(), create_auth(providers.auth_settings.model_copy(update=hung))
        await stack.enter_async_context(served(auth, port))  # a second replica
        socket = await stack.enter_async_context(connected(providers, **hung))
        stack.callback(redis.resume)
        redis.hang()
        async with httpx.AsyncClient(cookies={"webchat_session": providers.cookie}) as client:
            response = await client.post(f"http://127.0.0.1:{port}/api/auth/logout")
            assert response.status_code == 204
        frames = [frame async for frame in frames_until_closed(socket)]
        assert (socket.close_code, frames[-1]["op"]) == (4401, "session.revoked")


async def test_under_load_typing_is_shed_first_then_history_and_commands_never(providers: Providers, tmp_path: Path):
    room_id = await providers.group(await providers.sign_up("minji"))
    batches = metric("webchat_lane_batch_commands_sum")
    typing, history = metric("webchat_shed_total", kind="typing"), metric("webchat_shed_total", kind="history")
    limits = {"lane_commands": 64, "shed_hints_at": 0.25, "shed_history_at": 0.5, "rate_limits": False}
    async with connected(providers, **limits) as socket:
        with closing(sqlite3.connect(tmp_path / "db" / "rooms.sqlite3", isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            for number in range(50):
                text = {"client_id": str(uuid.uuid4()), "body": "hello"}
                await socket.send(encode_frame("message.send", f"{number}", room_id, **text))
                await eventually(
                    lambda: metric("webchat_lane_batch_commands_sum") > batches
                )  # the first request is in flight

            async def page() -> bool:
                await socket.send(encode_frame("message.list", "page", room_id, before=1000))
                return (await reply_to(socket, "page")).get("code") == "unavailable"

            await eventually(page)
            await socket.send(encode_frame("room.typing", None, room_id, typing=True))
            await eventually(lambda: metric("webchat_shed_total", kind="typing") > typing)
            assert metric("webchat_shed_total", kind="history") > history
            holder.execute("ROLLBACK")
        replies = [await reply_to(socket, f"{number}") for number in range(50)]
        assert [(response["op"], response["seq"]) for response in replies] == [("ok", seq) for seq in range(1, 51)]

        async def whole_page() -> bool:
            await socket.send(encode_frame("message.list", "page", room_id, before=1000))
            return len((await reply_to(socket, "page")).get("messages", ())) == 50

        await eventually(whole_page)
