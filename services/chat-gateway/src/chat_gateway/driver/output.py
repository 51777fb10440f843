"""Writing to connections: replies, errors, events of the user, and close frames."""

from collections.abc import Iterable

import msgspec

from chat_gateway import metrics
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.encoding import encode, encode_payload, error_payload
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.frames import Ok
from shared.roomlog.frames import text_frame

# Replies: every performed frame gets exactly one


def send_reply(connection: Connection, frame_id: str | None, result: Ok) -> None:
    """Reply to a frame. A frame without an id gets no reply, but counts as answered."""
    send_encoded_reply(connection, frame_id, encode_payload(result))


def send_encoded_reply(connection: Connection, frame_id: str | None, reply: bytes) -> None:
    if frame_id is not None:
        connection.transport.enqueue(text_frame(reply))
    _count_answer(connection)


def send_error(
    connection: Connection, frame_id: str | None, code: str, detail: str, *, retry_after: int | None = None
) -> None:
    """Reply with an error. `retry_after` is in seconds."""
    write_error(connection, frame_id, code, detail, retry_after=retry_after)
    _count_answer(connection)


def write_error(
    connection: Connection, frame_id: str | None, code: str, detail: str, *, retry_after: int | None = None
) -> None:
    """Write an error about a frame that does not count as unanswered."""
    metrics.ERRORS.of(code).inc()
    payload = error_payload(frame_id, code, detail, retry_after=retry_after)
    connection.transport.enqueue(text_frame(payload))


def _count_answer(connection: Connection) -> None:
    if connection.answered():
        connection.transport.wake()


# Events


def push_frame(connection: Connection, frame: msgspec.Struct) -> None:
    """Write an event that only this user gets."""
    connection.push(encode(frame))


async def send_frame(connection: Connection, frame: msgspec.Struct) -> None:
    """Write an event that only this user gets, after what is enqueued, and wait until it is written."""
    await connection.transport.send(encode(frame))


# Closing


def close(connections: Iterable[Connection], code: CloseCode, reason: str) -> None:
    """Close connections, and ignore what their clients send from now on."""
    for connection in connections:
        connection.end()
        connection.transport.close(code, reason)
