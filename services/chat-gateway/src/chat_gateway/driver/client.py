"""One connection of one user on this gateway: its protocol state, its place in rooms, and the wire to write to."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, Protocol

import msgspec

from chat_gateway import meters
from chat_gateway.protocol.connection import Connection, error_payload
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.frames import AnyFrame, Ok
from shared.contracts.rooms import Membership
from shared.roomlog.frames import text_frame

log = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder()


class Wire(Protocol):
    """What the driver needs of a socket."""

    def push(self, data: bytes) -> None:
        """Write live events now; a reader that is too slow is closed."""

    def push_droppable(self, data: bytes) -> None:
        """Write unless much waits already."""

    def answer(self, data: bytes) -> None:
        """Write when what was written before has drained, in order."""

    async def send(self, data: bytes) -> None:
        """`answer`, and wait until it was written."""

    def read_on(self) -> None:
        """A frame was answered: the next may be read."""

    def close(self, code: int, reason: str) -> None: ...


class Client:
    """A reader of the hub. `memberships` holds the rooms that this connection was told of, until it is told otherwise.

    `context`: what log lines about its work tell, as it was made.
    `greeted`: its `ready` is on the way; `live`: it is in its rooms, and has not departed.
    """

    __slots__ = (
        "connection",
        "context",
        "epoch",
        "greeted",
        "held",
        "id",
        "live",
        "memberships",
        "on_removed",
        "rooms_revision",
        "session_id",
        "tasks",
        "user_id",
        "watching",
        "wire",
    )  # fmt: skip

    def __init__(
        self,
        client_id: str,
        user_id: str,
        session_id: str,
        connection: Connection,
        wire: Wire,
        on_removed: Callable[["Client", str], None],
    ) -> None:
        self.id, self.user_id, self.session_id = client_id, user_id, session_id
        self.connection, self.wire, self.on_removed = connection, wire, on_removed
        self.context = copy_context()
        self.memberships: dict[str, Membership] = {}
        self.watching: dict[str, bool] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.held: dict[str, deque[AnyFrame]] = {}
        self.rooms_revision = 0
        self.epoch = ""
        self.greeted = False
        self.live = False

    @property
    def accepts(self) -> bool:
        """Whether its next frame may be performed: not between its hello and its `ready`, nor while many wait."""
        return self.greeted == self.connection.greeted and not self.connection.full

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` on behalf of this connection; it ends with the connection, and a bug in it is logged."""
        task = asyncio.create_task(work, context=self.context)
        self.tasks.add(task)
        task.add_done_callback(self._worked)

    def stop(self) -> None:
        """Cancel the tasks of this connection, so that nothing it asked for is sent any more."""
        for task in self.tasks:
            task.cancel()

    def _worked(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ConnectionResetError):
            log.error("work for a connection failed", exc_info=error)
            self.wire.close(CloseCode.TRY_AGAIN, "something went wrong on our side")

    def push(self, data: bytes) -> None:
        self.wire.push(data)

    def push_droppable(self, data: bytes) -> None:
        self.wire.push_droppable(data)

    @staticmethod
    def encode(frame: msgspec.Struct) -> bytes:
        """A frame of this user alone, ready to write."""
        return text_frame(_encoder.encode(frame))

    def push_frame(self, frame: msgspec.Struct) -> None:
        self.wire.push(self.encode(frame))

    def removed_from(self, room_id: str) -> None:
        self.on_removed(self, room_id)

    # Answers: every performed frame gets exactly one

    def finish(self, frame_id: str | None, result: Ok) -> None:
        """Answer a frame; without an id it is only counted as answered."""
        self.finish_encoded(frame_id, _encoder.encode(result))

    def finish_encoded(self, frame_id: str | None, reply: bytes) -> None:
        self.connection.answered()
        if frame_id is not None:
            self.wire.answer(text_frame(reply))
        self.wire.read_on()

    def refuse(self, frame_id: str | None, code: str, detail: str, *, retry_after: int | None = None) -> None:
        meters.ERRORS.of(code).inc()
        self.connection.answered()
        self.wire.answer(text_frame(error_payload(frame_id, code, detail, retry_after=retry_after)))
        self.wire.read_on()
