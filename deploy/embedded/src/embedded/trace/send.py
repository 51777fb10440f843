"""One message from one person to another, both with a socket of their own, and when that happened."""

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

PATIENCE_S = 10.0
SUBPROTOCOL = "webchat.v1"


@dataclass(frozen=True)
class Sent:
    """Nanoseconds since 1970."""

    sent_ns: int
    answered_ns: int
    arrived_ns: int


async def send_one(url: str, sender: Account, reader: Account, traceparent: str) -> Sent:
    """Send through the public address as a browser does. Raises CannotRun where something does not come."""
    room = await sender.call("POST", "/api/rooms", {"kind": "direct", "user_id": reader.user_id})
    try:
        async with (
            asyncio.timeout(PATIENCE_S),
            _socket(url, reader.cookie) as there,
            _socket(url, sender.cookie, {"traceparent": traceparent}) as here,
        ):
            client_id = str(uuid.uuid4())
            arrival = asyncio.create_task(_until(there, op="message.created", client_id=client_id))
            sent = time.time_ns()
            message = {"room_id": room["room_id"], "client_id": client_id, "body": "make trace"}
            await _tell(here, {"op": "message.send", "id": "1", "traceparent": traceparent, **message})
            answered = await _until(here, id="1")
            return Sent(sent, answered, await arrival)
    except (TimeoutError, WebSocketException, OSError) as error:
        raise CannotRun(f"the message did not get through: {error or 'no answer in time'}") from error


@asynccontextmanager
async def _socket(url: str, cookie: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[ClientConnection]:
    """One that said hello and has its answer."""
    async with connect(
        f"{url.replace('http', 'ws', 1)}/api/chat/ws",
        subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
        additional_headers={"Cookie": cookie, **(headers or {})},
        compression=None,
        proxy=None,
    ) as socket:
        await _tell(socket, {"op": "hello"})
        await _until(socket, op="ready")
        yield socket


async def _tell(socket: ClientConnection, frame: Mapping[str, Any]) -> None:
    await socket.send(json.dumps(frame))


async def _until(socket: ClientConnection, **wanted: str) -> int:
    """When the frame with these members came; raises CannotRun for an error."""
    while True:
        frame = json.loads(await socket.recv())
        came = time.time_ns()
        if frame["op"] == "error":
            raise CannotRun(f"the gateway refused: {frame['code']}: {frame['detail']}")
        if all(frame.get(name) == value for name, value in wanted.items()):
            return came
