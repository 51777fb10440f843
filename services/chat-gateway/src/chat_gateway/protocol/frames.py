"""The frames that clients send, and the replies and user events that the gateway makes; the events of rooms are in
`shared.events.rooms`. Field names are the protocol's."""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from shared.contracts.auth import User
from shared.contracts.media import Attachment
from shared.contracts.rooms import DEFAULT_PAGE, MAX_INTEGER, MAX_PAGE, Message, Room, RoomDetail
from shared.contracts.social import Profile

Text: TypeAlias = Annotated[str, Meta(max_length=256)]
Seq: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
Offset: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Limit: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
ClientId: TypeAlias = Annotated[
    str, Meta(pattern=r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$")
]
Status: TypeAlias = Literal["online", "offline"]


class ClientFrame(msgspec.Struct, tag_field="op", kw_only=True):
    """`id` is the client's: a frame that has one gets a reply."""

    id: Annotated[str, Meta(max_length=128)] | None = None


class Hello(ClientFrame, tag="hello", kw_only=True):
    """The first frame, within 10 s. `cursors` holds the last version that the client has of each room."""

    cursors: Annotated[dict[str, Annotated[int, Meta(ge=0, le=MAX_INTEGER)]], Meta(max_length=1000)] = {}
    epoch: Text | None = None


class Ping(ClientFrame, tag="ping", kw_only=True):
    """Answered with the time of the server."""


class HomeList(ClientFrame, tag="home.list", kw_only=True):
    """Friends, and rooms by latest activity; `before` is the `next` of the last answer."""

    before: Text | None = None
    limit: Limit = MAX_PAGE


class RoomFrame(ClientFrame, kw_only=True):
    room_id: Text


class CommandFrame(RoomFrame, kw_only=True):
    """Changes the room. `traceparent` (W3C) names a trace in which its way is written down; ignored if malformed."""

    traceparent: Text | None = None


class RoomEnter(RoomFrame, tag="room.enter", kw_only=True):
    """The room with its members and its newest page, in one snapshot; marks it read unless told not to."""

    mark_read: bool = True


class RoomExit(RoomFrame, tag="room.exit", kw_only=True):
    """The room is no longer looked at; its events go on coming."""


class MessageSend(CommandFrame, tag="message.send", kw_only=True):
    """Answered after the commit. The same `client_id` again is answered with the first message."""

    client_id: ClientId
    body: str
    reply_to: Seq | None = None
    attachment_ids: Annotated[list[Text], Meta(max_length=10)] = []
    mentions: Annotated[list[Text], Meta(max_length=50)] = []


class MessageList(RoomFrame, tag="message.list", kw_only=True):
    """A page of messages: at most one of `before`, `after`, `around`, `at` (RFC 3339), `offset`; none: the newest."""

    before: Seq | None = None
    after: Seq | None = None
    around: Seq | None = None
    at: Text | None = None
    offset: Offset | None = None
    limit: Limit = DEFAULT_PAGE


class MessageEdit(CommandFrame, tag="message.edit", kw_only=True):
    """One's own message; the same body again makes no event."""

    seq: Seq
    body: str


class MessageDelete(CommandFrame, tag="message.delete", kw_only=True):
    """One's own message, or any as an admin; it stays in pages, empty."""

    seq: Seq


class MessageReact(CommandFrame, tag="message.react", kw_only=True):
    """At most 32 bytes of emoji; `remove` takes the reaction back."""

    seq: Seq
    emoji: Text
    remove: bool = False


class RoomRead(CommandFrame, tag="room.read", kw_only=True):
    """Read up to `seq`: forward only, clamped to the room's last message."""

    seq: Seq


class RoomTyping(RoomFrame, tag="room.typing", kw_only=True):
    """No reply. Goes to the other members, to no socket of the typist."""

    typing: bool


class RoomInvite(CommandFrame, tag="room.invite", kw_only=True):
    """Own id, repeats and members are ignored; one unknown id refuses all."""

    user_ids: Annotated[list[Text], Meta(min_length=1, max_length=100)]


class RoomLeave(CommandFrame, tag="room.leave", kw_only=True):
    """Leave a group; hide a direct room until its next message."""


class FileUpload(CommandFrame, tag="file.upload", kw_only=True):
    """`data` is base64, at most 5 MiB decoded; the message is sent once the file is stored."""

    client_id: ClientId
    filename: Annotated[str, Meta(min_length=1, max_length=255)]
    data: str
    body: str = ""


class PresenceWatch(ClientFrame, tag="presence.watch", kw_only=True):
    """Replaces the earlier set; strangers and those who blocked one are shown as offline."""

    user_ids: Annotated[list[Text], Meta(max_length=200)]


AnyFrame: TypeAlias = (
    Hello | Ping | HomeList | RoomEnter | RoomExit | MessageSend | MessageList | MessageEdit | MessageDelete
    | MessageReact | RoomRead | RoomTyping | RoomInvite | RoomLeave | FileUpload | PresenceWatch
)  # fmt: skip

OPS = frozenset(str(frame.__struct_config__.tag) for frame in AnyFrame.__args__)


# Replies


class Ok(msgspec.Struct, tag="ok", tag_field="op", omit_defaults=True, kw_only=True):
    """A reply; the result's fields stand beside `id`."""

    id: str
    at: str | None = None
    seq: int | None = None
    version: int | None = None
    duplicate: bool | None = None
    read_seq: int | None = None
    room: RoomDetail | None = None
    rooms: list[Room] | None = None
    friends: list[Profile] | None = None
    messages: list[Message] | None = None
    has_more: bool | None = None
    next: str | msgspec.UnsetType | None = msgspec.UNSET
    presence: dict[str, Status] | None = None
    attachment: Attachment | None = None


class ErrorFrame(msgspec.Struct, tag="error", tag_field="op", omit_defaults=True, kw_only=True):
    """`retry_after` in seconds."""

    id: str | None = None
    code: str
    detail: str
    retry_after: int | None = None


# Events of the user


class Ready(msgspec.Struct, tag="ready", tag_field="op", kw_only=True):
    """`heartbeat` in seconds."""

    session_id: str
    user: User
    friends: list[Profile]
    rooms: list[Room]
    heartbeat: int
    epoch: str


class RoomAdded(msgspec.Struct, tag="room.added", tag_field="op", kw_only=True):
    """The room's events after `room.version` follow."""

    room: Room


class RoomRemoved(msgspec.Struct, tag="room.removed", tag_field="op", kw_only=True):
    room_id: str


class RoomMuted(msgspec.Struct, tag="room.muted", tag_field="op", kw_only=True):
    room_id: str
    muted: bool


class RoomReset(msgspec.Struct, tag="room.reset", tag_field="op", kw_only=True):
    """The log does not reach back to the client's cursor: load the newest page and go on from its version."""

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
    """At most four a second per room; forward only, so that the next repairs a lost one."""

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
