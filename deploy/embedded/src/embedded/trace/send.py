"""Send one message from one account to another, each with its own socket, and measure when."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from embedded.failures import CannotRun
from embedded.seed.client import Account

TIMEOUT_S = 10.0
SUBPROTOCOL = "webchat.v1"


@dataclass(frozen=True)
class Sent:
    """The times of one message, in nanoseconds since 1970."""

    sent_ns: int
    answered_ns: int
    arrived_ns: int


async def send_one(url: str, sender: Account, reader: Account, traceparent: str) -> Sent:
    """Send through the public address, as a browser does. Raises CannotRun if an expected frame does not arrive."""
    room = await sender.call("POST", "/api/rooms", {"kind": "direct", "user_id": reader.user_id})
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            _socket(url, reader.cookie) as there,
            _socket(url, sender.cookie, {"traceparent": traceparent}) as here,
        ):
            client_id = str(uuid.uuid4())
            arrival = asyncio.create_task(_receive(there, op="message.created", client_id=client_id))
            sent = time.time_ns()
            message = {"room_id": room["room_id"], "client_id": client_id, "body": "make trace"}
            await _send_frame(here, {"op": "message.send", "id": "1", "traceparent": traceparent, **message})
            answered = await _receive(here, id="1")
            return Sent(sent, answered, await arrival)
    except (TimeoutError, WebSocketException, OSError) as error:
        raise CannotRun(f"the message was not delivered: {error or 'no answer in time'}") from error


@asynccontextmanager
async def _socket(url: str, cookie: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[ClientConnection]:
    """Open a socket and complete the handshake."""
    async with connect(
        f"{url.replace('http', 'ws', 1)}/api/chat/ws",
        subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
        additional_headers={"Cookie": cookie, **(headers or {})},
        compression=None,
        proxy=None,
    ) as socket:
        await _send_frame(socket, {"op": "hello"})
        await _receive(socket, op="ready")
        yield socket


async def _send_frame(socket: ClientConnection, frame: Mapping[str, Any]) -> None:
    await socket.send(json.dumps(frame))


async def _receive(socket: ClientConnection, **wanted: str) -> int:
    """Wait for the frame with these members and return its time. Raises CannotRun for an error frame."""
    while True:
        frame = json.loads(await socket.recv())
        came = time.time_ns()
        if frame["op"] == "error":
            raise CannotRun(f"the gateway rejected the command: {frame['code']}: {frame['detail']}")
        if all(frame.get(name) == value for name, value in wanted.items()):
            return came
