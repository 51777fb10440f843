"""A connection of a user, sans I/O: frames and times go in, effects come out.

The model is the `Protocol` class of websockets: `receive` takes a frame at any time, and `next_effects` returns what
the frames that may be performed now want to be done. Nothing here reads, writes or waits.
"""

from collections.abc import Mapping
from contextvars import Context
from types import MappingProxyType

from chat_gateway.protocol.effects import Attach, Close, Effect, Perform, Reply, Start
from chat_gateway.protocol.encoding import error_payload
from chat_gateway.protocol.errors import CloseCode, FrameError
from chat_gateway.protocol.frames import (
    AnyCommandFrame,
    AnyFrame,
    AnyRoomFrame,
    FileUpload,
    Hello,
    MessageSend,
    RoomTyping,
)
from chat_gateway.protocol.limits import Limits
from chat_gateway.protocol.parse import frame_id, parse
from chat_gateway.protocol.rates import FrameRate
from chat_gateway.protocol.transport import Transport
from shared.errors import ErrorCode
from shared.ids import is_id

_NOTHING_DEFERRED: Mapping[str, list[AnyFrame]] = MappingProxyType({})


class Connection:
    """The state of one connection. Times are monotonic, in seconds.

    `RoomSubscriptions` has its rooms, `Presence` has the users that it watches, and `ConnectionTasks` has its tasks.
    """

    __slots__ = (
        "_limits", "_rate", "_received", "closing", "context", "deferred", "epoch", "handshake_done", "hello_received",
        "id", "live", "push", "push_droppable", "rooms_revision", "session_id", "transport", "unanswered", "user_id",
    )  # fmt: skip

    def __init__(
        self,
        connection_id: str,
        user_id: str,
        session_id: str,
        transport: Transport,
        limits: Limits,
        now: float,
        context: Context,
    ) -> None:
        self.id, self.user_id, self.session_id = connection_id, user_id, session_id
        self._limits, self._rate = limits, FrameRate(limits, now)
        self.transport = transport
        """Carried for the hub, presence and the drivers. This class never calls it."""
        self.push, self.push_droppable = transport.push, transport.push_droppable
        """The methods of the transport, because that is one step less for each delivery."""
        self.context = context
        """The fields of log lines about this connection."""
        self.epoch = ""
        """The epoch of the room logs in which the connection started."""
        self.hello_received = False
        self.handshake_done = False
        """`ready` was sent. Frames that arrive between `hello` and `ready` wait."""
        self.live = False
        """The connection receives the events of all of its rooms, and is synchronised when they change."""
        self.closing = False
        """Received frames are ignored."""
        self.rooms_revision = 0
        """The revision of the user's rooms as the client knows them."""
        self.unanswered = 0
        """Performed frames that are not answered yet."""
        self.deferred = _NOTHING_DEFERRED
        """Room → commands that wait until the attachments of an earlier message are looked up."""
        self._received: list[tuple[bytes | bytearray, bool]] = []
        """Frames that are not performed yet, and whether they are binary. A list, because an empty deque is large."""

    # Frames

    def receive(self, data: bytes | bytearray, *, binary: bool = False) -> None:
        """Take a frame. `next_effects` returns its effects when it is its turn."""
        if not self.closing:
            self._received.append((data, binary))

    @property
    def has_received(self) -> bool:
        """True if frames wait to be performed."""
        return bool(self._received)

    @property
    def full(self) -> bool:
        """True if no further frame is performed before one is answered."""
        return self.unanswered >= self._limits.unanswered

    @property
    def accepts_frames(self) -> bool:
        """True if the next frame may be performed: not between `hello` and `ready`, and not while `full`."""
        return (self.handshake_done or not self.hello_received) and not self.full

    def next_effects(self, now: float) -> list[Effect]:
        """Return the effects of the next frame. Returns none if there is no frame, or if it has to wait."""
        effects: list[Effect] = []
        while not effects and self._received and self.accepts_frames:
            data, binary = self._received.pop(0)
            effects = self._process(data, now, binary=binary)
        return effects

    def answered(self) -> bool:
        """Count a performed frame as answered. Returns True if received frames had to wait for that."""
        was_full = self.full
        self.unanswered -= 1
        return was_full and self.has_received

    # Life

    def hello_overdue(self) -> list[Effect]:
        """Return the effects of the deadline for `hello`."""
        return [] if self.hello_received else self._close(CloseCode.NO_HELLO, "no hello within 10 s")

    def end(self) -> None:
        """Ignore all frames that are not performed yet, and all later ones."""
        self.closing = True
        self._received.clear()

    # Commands that wait for attachments

    def resume(self, room_id: str) -> list[Effect]:
        """Return the effects of the room's deferred commands, up to the next message with attachments."""
        return [effect for frame in self.take_deferred(room_id) for effect in self._admit(frame)]

    def take_deferred(self, room_id: str) -> list[AnyFrame]:
        """Return the room's deferred commands, and defer no more."""
        remaining = dict(self.deferred)
        deferred = remaining.pop(room_id)
        self.deferred = remaining
        return deferred

    # Processing

    def _process(self, data: bytes | bytearray, now: float, *, binary: bool) -> list[Effect]:
        try:
            if not self._rate.take(now):
                return self._reject_flood(data, now)
            return self._accept(data, binary=binary)
        except FrameError as error:
            effects: list[Effect] = [Reply(error_payload(error.frame_id, error.code, error.detail), error.code)]
            if error.malformed and self._rate.count_malformed(now):
                effects += self._close(CloseCode.MALFORMED, "too many malformed frames")
            return effects

    def _accept(self, data: bytes | bytearray, *, binary: bool) -> list[Effect]:
        if binary:
            raise FrameError(ErrorCode.BAD_FRAME, "Frames must be text.", malformed=True)
        frame = parse(data, frame_bytes=self._limits.frame_bytes)
        if isinstance(frame, Hello):
            return self._accept_hello(frame)
        if not self.hello_received:
            raise FrameError(ErrorCode.INVALID, "The first frame must be `hello`.", frame.id)
        if isinstance(frame, RoomTyping):  # it is not answered
            return [Perform(frame)]
        if isinstance(frame, AnyRoomFrame) and not is_id(frame.room_id):
            raise FrameError(ErrorCode.NOT_FOUND, "There is no such room.", frame.id)
        self.unanswered += 1
        return self._admit(frame)

    def _accept_hello(self, hello: Hello) -> list[Effect]:
        if self.hello_received:
            raise FrameError(ErrorCode.INVALID, "`hello` was already received.", hello.id)
        self.hello_received = True
        return [Start(hello)]

    def _admit(self, frame: AnyFrame) -> list[Effect]:
        """Perform a frame, or defer it behind an earlier command of its room. An upload and a query overtake those."""
        if not isinstance(frame, AnyCommandFrame) or isinstance(frame, FileUpload):
            return [Perform(frame)]
        if (deferred := self.deferred.get(frame.room_id)) is not None:
            deferred.append(frame)
            return []
        if isinstance(frame, MessageSend) and frame.attachment_ids:
            self.deferred = {**self.deferred, frame.room_id: []}
            return [Attach(frame)]
        return [Perform(frame)]

    def _reject_flood(self, data: bytes | bytearray, now: float) -> list[Effect]:
        """Reject a frame beyond the rate limit, without decoding it. Close the connection if there are too many."""
        if not self._rate.take_excess(now):
            return self._close(CloseCode.POLICY_VIOLATION, "far more frames than allowed")
        if self._rate.reject(now):
            return self._close(CloseCode.FLOOD, "more frames than allowed, for too long")
        code = ErrorCode.RATE_LIMITED
        return [Reply(error_payload(frame_id(data), code, "More frames than allowed.", retry_after=1), code)]

    def _close(self, code: CloseCode, reason: str) -> list[Effect]:
        self.end()
        return [Close(code, reason)]
