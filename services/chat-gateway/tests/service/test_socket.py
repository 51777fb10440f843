"""Sockets on a real port: upgrades, close codes, and limits of what is waiting."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any

import pytest
from redis.asyncio import Redis
from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

from chat_gateway.protocol.limits import SUBPROTOCOL
from chat_gateway.transport.handshake import Handshake
from chat_gateway.transport.socket import Socket
from shared.errors import Unauthenticated
from shared.ids import new_id
from shared.instance import INSTANCE, INSTANCE_HEADER
from shared.metrics import REGISTRY
from shared.roomlog.frames import text_frame
from shared.rpc.tokens import TOKEN_HEADER, Principal
from shared.testing.fixtures import eventually
from shared.testing.websocket_client import TEXT, RawClient, frame

from ..harness import GatewayHarness  # noqa: TID252 - the tests of one service

TOKEN = {TOKEN_HEADER: "good"}


async def _verify(token: str) -> Principal:
    if token == "service":
        return Principal(subject="rooms", use="service")
    if token != "good":
        raise Unauthenticated("Sign in first.")
    return Principal(subject="minji", session_id="s", use="user")


class ServedGateway:
    """A gateway on a port."""

    def __init__(self, harness: GatewayHarness, port: int, state: ServerState, verifying: asyncio.Event) -> None:
        self.harness, self.port, self.verifying = harness, port, verifying
        """Upgrades wait while `verifying` is cleared."""
        self.url, self.state = f"ws://127.0.0.1:{port}/api/chat/ws", state

    @property
    def socket(self) -> Socket:
        [socket] = self.state.connections
        assert isinstance(socket, Socket)
        return socket

    def connect(self, **options: Any) -> connect:
        options = {"subprotocols": [Subprotocol(SUBPROTOCOL)], "additional_headers": TOKEN} | options
        return connect(self.url, **options)


@asynccontextmanager
async def served(redis: Redis, **limits: Any) -> AsyncIterator[ServedGateway]:
    """Serve a gateway on a port, with one user."""
    harness = GatewayHarness(redis, limits=limits)
    harness.auth.sign_in("minji", "s")
    verifying = asyncio.Event()
    verifying.set()

    async def verify(token: str) -> Principal:
        await verifying.wait()
        return await _verify(token)

    state, app_state = ServerState(), {"gateway": harness.gateway, "handshake": Handshake(verify)}
    config = Config("none", log_config=None)
    server = await asyncio.get_running_loop().create_server(lambda: Socket(config, state, app_state), "127.0.0.1", 0)
    async with harness.running(), server:
        yield ServedGateway(harness, server.sockets[0].getsockname()[1], state, verifying)
        for socket in list(state.connections):
            socket._transport.abort()  # type: ignore[union-attr]
        await eventually(lambda: not state.connections)


async def say_hello(client: ClientConnection) -> None:
    """Say hello, and wait for `ready`."""
    await client.send('{"op":"hello"}')
    async with asyncio.timeout(10):
        assert '"op":"ready"' in str(await client.recv())


async def closed_with(client: ClientConnection) -> int:
    async with asyncio.timeout(10):
        with suppress(ConnectionClosed):
            async for _ in client:
                pass
        await client.wait_closed()
    return client.close_code or 0


async def test_only_signed_in_users_can_connect(redis: Redis):
    async with served(redis) as gateway:
        for token in ({}, {TOKEN_HEADER: "forged"}, {TOKEN_HEADER: "service"}):
            with pytest.raises(InvalidStatus) as rejected:
                await gateway.connect(additional_headers=token)
            assert rejected.value.response.status_code == 401
        await eventually(lambda: not gateway.state.connections)


async def test_an_upgrade_for_another_gateway_is_rejected(redis: Redis):
    """Nginx then tries the next gateway. The token is not checked before."""
    async with served(redis) as gateway:
        for token in ({}, TOKEN):
            with pytest.raises(InvalidStatus) as rejected:
                await gateway.connect(additional_headers=token | {INSTANCE_HEADER: "0123456789abcdef"})
            assert rejected.value.response.status_code == 404
        async with gateway.connect(additional_headers=TOKEN | {INSTANCE_HEADER: INSTANCE}):
            assert gateway.socket


async def test_another_protocol_version_is_closed_without_reconnecting(redis: Redis):
    async with served(redis) as gateway, gateway.connect(subprotocols=None, additional_headers=TOKEN) as client:
        assert client.subprotocol is None
    async with served(redis) as gateway:
        header = TOKEN | {"Sec-WebSocket-Protocol": "webchat.v9"}
        async with gateway.connect(subprotocols=None, additional_headers=header) as client:
            assert await closed_with(client) == 4500


UPGRADE = (
    b"GET /api/chat/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Protocol: webchat.v1\r\n%b: good\r\n\r\n" % TOKEN_HEADER.encode()
)


@pytest.mark.parametrize("size", [1, 7, 10_000], ids="pieces of {} bytes".format)
async def test_frames_may_follow_the_request_before_the_response(redis: Redis, size: int):
    async with served(redis) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        data = UPGRADE + frame(TEXT, b'{"op":"hello"}') + frame(TEXT, b'{"op":"ping","id":"early"}')
        for at in range(0, len(data), size):
            writer.write(data[at : at + size])
            await writer.drain()
        assert await reader.readuntil(b"\r\n\r\n")
        client = RawClient(reader, writer)
        assert (await client.receive()).json["op"] == "ready"
        assert (await client.receive()).json["id"] == "early"
        writer.transport.abort()


@pytest.mark.parametrize(
    "request_", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000], ids=["not HTTP", "too long"]
)
async def test_a_request_that_cannot_be_read_is_cut_off(redis: Redis, request_: bytes):
    async with served(redis) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(request_)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_a_client_that_leaves_during_the_upgrade_is_forgotten(redis: Redis):
    async with served(redis) as gateway:
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        gateway.verifying.clear()
        writer.write(UPGRADE)
        await eventually(lambda: bool(gateway.state.connections) and gateway.socket._upgrading is not None)
        upgrading = gateway.socket._upgrading
        writer.transport.abort()
        await eventually(lambda: not gateway.state.connections)
        assert upgrading is not None
        await eventually(upgrading.cancelled)
        gateway.verifying.set()


async def test_a_socket_without_hello_is_closed(redis: Redis):
    async with served(redis, hello_seconds=0.02) as gateway, gateway.connect() as client:
        assert await closed_with(client) == 4408


async def test_two_missed_heartbeats_close_the_socket(redis: Redis):
    async with served(redis, hello_seconds=1, heartbeat_seconds=0.05) as gateway, gateway.connect() as client:
        await say_hello(client)
        send = client.protocol.send_frame
        client.protocol.send_frame = lambda frame: None if frame.opcode is Opcode.PONG else send(frame)  # type: ignore[method-assign]
        assert await closed_with(client) == 4309


async def test_a_client_that_answers_heartbeats_stays_connected(redis: Redis):
    async with served(redis, hello_seconds=1, heartbeat_seconds=0.02) as gateway, gateway.connect() as client:
        await say_hello(client)
        pings = 0
        answer = client.protocol.recv_frame

        def count(frame: Frame) -> None:
            nonlocal pings
            pings += frame.opcode is Opcode.PING
            answer(frame)

        client.protocol.recv_frame = count  # type: ignore[method-assign]
        await eventually(lambda: pings >= 5)
        await client.send('{"op":"ping","id":"1"}')
        assert '"ok"' in str(await client.recv())


async def test_a_frame_over_eight_mebibytes_closes_the_socket(redis: Redis):
    async with served(redis) as gateway, gateway.connect() as client:
        await client.send("x" * (8 * 1024 * 1024 + 1))
        assert await closed_with(client) == 1009


async def test_a_client_that_does_not_close_the_socket_is_aborted(redis: Redis):
    async with served(redis) as gateway, gateway.connect() as client:
        await say_hello(client)
        client.transport.pause_reading()
        gateway.socket.close(1013, "come back")
        await eventually(lambda: not gateway.state.connections)
        client.transport.abort()


async def test_a_stopping_gateway_sends_a_close_frame(redis: Redis):
    async with served(redis, drain_seconds=0.02) as gateway, gateway.connect() as client:
        await eventually(lambda: gateway.socket._connection is not None)
        gateway.socket.shutdown()
        assert await closed_with(client) == 1001


async def test_closing_is_spread_over_the_drain_period(redis: Redis):
    """With a long drain period, at most one of twenty sockets closes at once."""
    async with served(redis, drain_seconds=600) as gateway:
        clients = [await gateway.connect() for _ in range(20)]
        await eventually(lambda: [socket._connection is None for socket in gateway.state.connections] == [False] * 20)  # type: ignore[union-attr]
        for socket in gateway.state.connections:
            socket.shutdown()
        await asyncio.sleep(0.05)
        assert [client.close_code for client in clients].count(1001) <= 1
        assert len(gateway.state.connections) >= 19
        for client in clients:
            client.transport.abort()


async def test_a_lost_connection_is_unregistered(redis: Redis):
    async with served(redis) as gateway:
        sockets = REGISTRY.get_sample_value("webchat_sockets") or 0
        async with gateway.connect() as client:
            await say_hello(client)
            assert len(gateway.harness.gateway.connections.users["minji"].connections) == 1
            assert REGISTRY.get_sample_value("webchat_sockets") == sockets + 1
        await eventually(lambda: not gateway.state.connections)
        assert gateway.harness.gateway.connections.users == {}
        assert REGISTRY.get_sample_value("webchat_sockets") == sockets


async def test_fragmented_frames_are_joined(redis: Redis):
    async with served(redis) as gateway, gateway.connect() as client:
        await say_hello(client)
        await client.send(['{"op":"pi', 'ng","id', '":"1"}'])
        assert '"id":"1"' in str(await client.recv())
        await client.send([b'{"op":"ping",', b'"id":"2"}'])
        assert '"bad_frame"' in str(await client.recv())


async def test_a_slow_reader_is_closed_and_counted(redis: Redis):
    cut = {"reason": "slow_reader"}
    before = REGISTRY.get_sample_value("webchat_sockets_closed_total", cut) or 0
    sockets = REGISTRY.get_sample_value("webchat_sockets")
    async with served(redis, outbound_bytes=64 * 1024) as gateway, gateway.connect(max_queue=1) as client:
        await eventually(lambda: gateway.socket._connection is not None)
        socket, event = gateway.socket, text_frame(b"x" * 60_000)
        for _ in range(1000):
            socket.push(event)
        assert await closed_with(client) in {4308, 1006}
        assert socket._closing
    assert REGISTRY.get_sample_value("webchat_sockets_closed_total", cut) == before + 1
    assert REGISTRY.get_sample_value("webchat_sockets") == sockets


async def _flood(client: ClientConnection, frame: str) -> None:
    while True:
        await client.send(frame)


async def test_reading_pauses_for_a_client_that_does_not_read_its_replies(redis: Redis):
    async with served(redis, outbound_bytes=64 * 1024) as gateway, gateway.connect(max_queue=1) as client:
        await say_hello(client)
        # Otherwise the kernel buffers megabytes. A smaller receive buffer would drop packets that its window allowed,
        # and the sender would repeat them after pauses that double each time.
        for transport in (gateway.socket._transport, client.transport):
            transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, 16 * 1024)
        client.transport.pause_reading()
        flood = asyncio.create_task(_flood(client, '{"op":"ping","id":"%s"}' % ("x" * 100)))
        try:
            await eventually(lambda: gateway.socket._reading_paused and client.transport.get_write_buffer_size() > 0)
            assert len(gateway.socket._outgoing) <= 1
            assert not flood.done()
        finally:
            flood.cancel()
            client.transport.abort()


async def test_any_number_of_frames_at_once_is_processed(redis: Redis):
    async with served(redis) as gateway, gateway.connect(max_queue=None) as client:
        await say_hello(client)
        ping = b'{"op":"ping","id":"1"}'
        client.transport.write((b"\x81" + bytes([0x80 | len(ping)]) + bytes(4) + ping) * 3000)
        async with asyncio.timeout(10):
            for _ in range(3000):
                assert '"ok"' in str(await client.recv())


async def test_frames_beyond_the_limit_wait_until_earlier_ones_are_answered(redis: Redis):
    async with served(redis) as gateway, gateway.connect(max_queue=None) as client:
        rooms = gateway.harness.rooms
        room_id = rooms.create("minji")
        await say_hello(client)
        rooms.pause("commands")
        bodies = [f"{number}" for number in range(3 * gateway.harness.limits.unanswered)]
        for body in bodies:
            frame = {"op": "message.send", "id": body, "room_id": room_id, "client_id": new_id(), "body": body}
            await client.send(json.dumps(frame))
        socket = gateway.socket
        await eventually(lambda: socket._connection is not None and socket._connection.full and socket._reading_paused)
        rooms.resume("commands")
        answered = []
        async with asyncio.timeout(10):
            while len(answered) < len(bodies):
                reply = json.loads(await client.recv())
                if reply["op"] == "ok":
                    answered.append(reply["id"])
        assert answered == rooms.bodies(room_id) == bodies
        await eventually(lambda: not socket._reading_paused)
