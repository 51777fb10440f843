"""The frames of the WebSocket protocol, with the field names of the protocol.

These are the client's frames, the replies, and the events that the gateway creates. The events of rooms are in
`shared.events.rooms`.
"""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from shared.contracts.auth import User
from shared.contracts.limits import DEFAULT_PAGE, MAX_INTEGER, MAX_PAGE, MAX_USER_IDS
from shared.contracts.media import Attachment
from shared.contracts.rooms import ClientId, Message, NewMessage, Room, RoomDetail, Seq, ShortText
from shared.contracts.social import Profile

Offset: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Limit: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
FrameId: TypeAlias = Annotated[str, Meta(max_length=128)]
Status: TypeAlias = Literal["online", "offline"]


class ClientFrame(msgspec.Struct, tag_field="op", kw_only=True):
    """A frame with an `id`, which the client chooses, gets a reply."""

    id: FrameId | None = None


class Hello(ClientFrame, tag="hello", kw_only=True):
    """The first frame, within 10 s. `cursors` maps room IDs to the last version that the client has."""

    cursors: Annotated[dict[str, Annotated[int, Meta(ge=0, le=MAX_INTEGER)]], Meta(max_length=1000)] = {}
    epoch: ShortText | None = None


class Ping(ClientFrame, tag="ping", kw_only=True):
    """Ask for the time of the server."""


class HomeList(ClientFrame, tag="home.list", kw_only=True):
    """List friends, and rooms by latest activity. `before` is the `next` of the previous reply."""

    before: ShortText | None = None
    limit: Limit = MAX_PAGE


class RoomFrame(ClientFrame, kw_only=True):
    room_id: ShortText


class CommandFrame(RoomFrame, kw_only=True):
    """A command to change a room. `traceparent` (W3C) makes it part of a trace; it is ignored if malformed."""

    traceparent: ShortText | None = None


class RoomEnter(RoomFrame, tag="room.enter", kw_only=True):
    """Get the room with its members and newest page in one snapshot, and by default mark it as read."""

    mark_read: bool = True


class RoomExit(RoomFrame, tag="room.exit", kw_only=True):
    """Close the view of a room. Its events are still sent."""


class MessageSend(NewMessage, tag_field="op", tag="message.send", kw_only=True):
    """Send a message. The reply follows the commit. A repeated `client_id` gets the reply of the first message."""

    id: FrameId | None = None
    room_id: ShortText
    traceparent: ShortText | None = None


class MessageList(RoomFrame, tag="message.list", kw_only=True):
    """Get a page by one of `before`, `after`, `around`, `at` (RFC 3339) and `offset`, or by default the newest page."""

    before: Seq | None = None
    after: Seq | None = None
    around: Seq | None = None
    at: ShortText | None = None
    offset: Offset | None = None
    limit: Limit = DEFAULT_PAGE


class MessageEdit(CommandFrame, tag="message.edit", kw_only=True):
    """Edit your own message. An unchanged body creates no event."""

    seq: Seq
    body: str


class MessageDelete(CommandFrame, tag="message.delete", kw_only=True):
    """Delete your own message, or any message as an admin. It remains in pages without content."""

    seq: Seq


class MessageReact(CommandFrame, tag="message.react", kw_only=True):
    """Add a reaction of at most 32 bytes, or remove it."""

    seq: Seq
    emoji: ShortText
    remove: bool = False


class RoomRead(CommandFrame, tag="room.read", kw_only=True):
    """Move the read cursor up to `seq`, forward only, at most to the room's last message."""

    seq: Seq


class RoomTyping(RoomFrame, tag="room.typing", kw_only=True):
    """Notify the other members that the user types or stopped. There is no reply."""

    typing: bool


class RoomInvite(CommandFrame, tag="room.invite", kw_only=True):
    """Invite users. The own ID, duplicates and members are ignored; one unknown ID rejects the frame."""

    user_ids: Annotated[list[ShortText], Meta(min_length=1, max_length=MAX_USER_IDS)]


class RoomLeave(CommandFrame, tag="room.leave", kw_only=True):
    """Leave a group, or hide a direct room until its next message."""


class FileUpload(CommandFrame, tag="file.upload", kw_only=True):
    """Store a file and send a message with it. `data` is base64, at most 5 MiB decoded."""

    client_id: ClientId
    filename: Annotated[str, Meta(min_length=1, max_length=255)]
    data: str
    body: str = ""


class PresenceWatch(ClientFrame, tag="presence.watch", kw_only=True):
    """Replace the set of watched users. Strangers and users who blocked the watcher appear offline."""

    user_ids: Annotated[list[ShortText], Meta(max_length=200)]


AnyFrame: TypeAlias = (
    Hello | Ping | HomeList | RoomEnter | RoomExit | MessageSend | MessageList | MessageEdit | MessageDelete
    | MessageReact | RoomRead | RoomTyping | RoomInvite | RoomLeave | FileUpload | PresenceWatch
)  # fmt: skip

AnyRoomFrame: TypeAlias = RoomFrame | MessageSend
AnyCommandFrame: TypeAlias = CommandFrame | MessageSend
"""`MessageSend` has the fields of a `CommandFrame`, but inherits those of the message."""

OPS = frozenset(str(frame.__struct_config__.tag) for frame in AnyFrame.__args__)


# Replies


class Ok(msgspec.Struct, tag="ok", tag_field="op", kw_only=True):
    """A successful reply. The fields of the result are next to `id`."""

    id: str


class TimeReply(Ok, kw_only=True):
    """The reply to `ping`."""

    at: str


class HomeReply(Ok, kw_only=True):
    """The reply to `home.list`. `next` is the `before` of the next page."""

    rooms: list[Room]
    friends: list[Profile]
    next: str | None


class RoomReply(Ok, kw_only=True):
    """The reply to `room.enter`."""

    version: int
    room: RoomDetail
    messages: list[Message]


class PageReply(Ok, kw_only=True):
    """The reply to `message.list`."""

    version: int
    messages: list[Message]
    has_more: bool


class SendReply(Ok, kw_only=True):
    """The reply to `message.send`. A duplicate has the fields of the first message."""

    at: str
    seq: int
    version: int
    duplicate: bool


class UploadReply(SendReply, kw_only=True):
    """The reply to `file.upload`."""

    attachment: Attachment


class ChangeReply(Ok, kw_only=True):
    """The reply to commands that change a room or a message."""

    version: int


class ReadReply(Ok, kw_only=True):
    """The reply to `room.read`."""

    read_seq: int | None


class PresenceReply(Ok, kw_only=True):
    """The reply to `presence.watch`."""

    presence: dict[str, Status]


REPLIES: dict[type[ClientFrame | MessageSend], type[Ok]] = {
    Ping: TimeReply, HomeList: HomeReply, RoomEnter: RoomReply, RoomExit: Ok, MessageSend: SendReply,
    MessageList: PageReply, MessageEdit: ChangeReply, MessageDelete: ChangeReply, MessageReact: ChangeReply,
    RoomRead: ReadReply, RoomInvite: ChangeReply, RoomLeave: ChangeReply, FileUpload: UploadReply,
    PresenceWatch: PresenceReply,
}  # fmt: skip
"""The reply to each frame. `hello` is answered by `ready`, `room.typing` is not answered."""


class ErrorFrame(msgspec.Struct, tag="error", tag_field="op", omit_defaults=True, kw_only=True):
    """A failed reply, or an error of a frame without an `id`. `retry_after` is in seconds."""

    id: str | None = None
    code: str
    detail: str
    retry_after: int | None = None


# Events of the user


class Ready(msgspec.Struct, tag="ready", tag_field="op", kw_only=True):
    """The reply to `hello`. `heartbeat` is in seconds."""

    session_id: str
    user: User
    friends: list[Profile]
    rooms: list[Room]
    heartbeat: int
    epoch: str


class RoomAdded(msgspec.Struct, tag="room.added", tag_field="op", kw_only=True):
    """The user is now a member. The room's events after `room.version` follow."""

    room: Room


class RoomRemoved(msgspec.Struct, tag="room.removed", tag_field="op", kw_only=True):
    room_id: str


class RoomMuted(msgspec.Struct, tag="room.muted", tag_field="op", kw_only=True):
    room_id: str
    muted: bool


class RoomReset(msgspec.Struct, tag="room.reset", tag_field="op", kw_only=True):
    """The log does not reach back to the client's cursor: load the newest page and continue after its version."""

    room_id: str


class FriendAdded(msgspec.Struct, tag="friend.added", tag_field="op", kw_only=True):
    profile: Profile


class FriendRemoved(msgspec.Struct, tag="friend.removed", tag_field="op", kw_only=True):
    user_id: str


class ProfileUpdated(msgspec.Struct, tag="profile.updated", tag_field="op", kw_only=True):
    profile: Profile


class SessionRevoked(msgspec.Struct, tag="session.revoked", tag_field="op", kw_only=True):
    pass


# Events without a version


class CursorsMoved(msgspec.Struct, tag="room.read", tag_field="op", kw_only=True):
    """Read cursors moved. At most four per second and room; a lost one is corrected by the next."""

    room_id: str
    cursors: dict[str, int]


class Typing(msgspec.Struct, tag="room.typing", tag_field="op", kw_only=True):
    room_id: str
    user_id: str
    typing: bool


class PresenceChanged(msgspec.Struct, tag="presence", tag_field="op", kw_only=True):
    user_id: str
    status: Status


SERVER_FRAMES: tuple[Any, ...] = (
    Ok, ErrorFrame, Ready, RoomAdded, RoomRemoved, RoomMuted, RoomReset, FriendAdded, FriendRemoved,
    ProfileUpdated, SessionRevoked, CursorsMoved, Typing, PresenceChanged,
)  # fmt: skip
