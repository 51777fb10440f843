"""A connection of a user: its protocol state, its memberships, its tasks, and the transport that it writes to."""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any, Protocol

import msgspec

from chat_gateway import metrics
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.frames import AnyFrame, Ok
from chat_gateway.protocol.state import ProtocolState, error_payload
from shared.roomlog.frames import text_frame

log = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder()


class Transport(Protocol):
    """The socket of a connection."""

    def push(self, data: bytes) -> None:
        """Write live events immediately, or close the socket if too many bytes are waiting."""

    def push_droppable(self, data: bytes) -> None:
        """Write live events, or drop them if many bytes are waiting."""

    def enqueue(self, data: bytes) -> None:
        """Write data in order, when the data enqueued before it has drained."""

    async def send(self, data: bytes) -> None:
        """Enqueue data and wait until it is written."""

    def process_frames(self) -> None:
        """Process further received frames. Call this when a frame was answered."""

    def close(self, code: int, reason: str) -> None: ...


class UserConnection:
    """A connection of a user, and a `Reader` of the hub.

    `watching` maps watched users to the status that was sent last. `deferred` are commands, by room, that wait for a
    message with attachments. `context` gives log lines the fields of this connection. `handshake_done` is set when
    `ready` is sent, and `live` while the connection receives the events of all of its rooms.
    """

    __slots__ = (
        "context",
        "deferred",
        "epoch",
        "handshake_done",
        "id",
        "live",
        "protocol",
        "push",
        "push_droppable",
        "rooms_revision",
        "session_id",
        "tasks",
        "transport",
        "user_id",
        "watching",
    )  # fmt: skip

    def __init__(
        self,
        connection_id: str,
        user_id: str,
        session_id: str,
        protocol: ProtocolState,
        transport: Transport,
    ) -> None:
        self.id, self.user_id, self.session_id = connection_id, user_id, session_id
        self.protocol, self.transport = protocol, transport
        self.push, self.push_droppable = transport.push, transport.push_droppable  # one call less for each delivery
        self.context = copy_context()
        self.watching: dict[str, bool] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.deferred: dict[str, deque[AnyFrame]] = {}
        self.rooms_revision = 0
        self.epoch = ""
        self.handshake_done = False
        self.live = False

    @property
    def accepts_frames(self) -> bool:
        """True if the next frame may be performed: not between `hello` and `ready`, and not beyond the limit."""
        return self.handshake_done == self.protocol.hello_received and not self.protocol.full

    # Tasks

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task for this connection. An error in it is logged and closes the connection."""
        task = asyncio.create_task(work, context=self.context)
        self.tasks.add(task)
        task.add_done_callback(self._task_done)

    def cancel_tasks(self) -> None:
        for task in self.tasks:
            task.cancel()

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ConnectionResetError):
            log.error("a task of a connection failed", exc_info=error)
            self.transport.close(CloseCode.TRY_AGAIN, "something went wrong on our side")

    # Events

    @staticmethod
    def encode(frame: msgspec.Struct) -> bytes:
        """Encode a frame that only this user gets."""
        return text_frame(_encoder.encode(frame))

    def push_frame(self, frame: msgspec.Struct) -> None:
        self.transport.push(self.encode(frame))

    # Replies: every performed frame gets exactly one

    def send_reply(self, frame_id: str | None, result: Ok) -> None:
        """Reply to a frame. A frame without an id gets no reply, but counts as answered."""
        self.send_encoded_reply(frame_id, _encoder.encode(result))

    def send_encoded_reply(self, frame_id: str | None, reply: bytes) -> None:
        self.protocol.answered()
        if frame_id is not None:
            self.transport.enqueue(text_frame(reply))
        self.transport.process_frames()

    def send_error(self, frame_id: str | None, code: str, detail: str, *, retry_after: int | None = None) -> None:
        """Reply with an error. `retry_after` is in seconds."""
        metrics.ERRORS.of(code).inc()
        self.protocol.answered()
        self.transport.enqueue(text_frame(error_payload(frame_id, code, detail, retry_after=retry_after)))
        self.transport.process_frames()
