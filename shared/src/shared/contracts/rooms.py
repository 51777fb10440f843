"""Rooms, members and messages as everyone sees them, and what rooms answers to the gateway.

A room is a log: `version` counts its events and `seq` its messages, both 1, 2, 3 … without holes.
"""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from shared.contracts.limits import DEFAULT_PAGE, MAX_ATTACHMENTS, MAX_INTEGER, MAX_MENTIONS, MAX_PAGE
from shared.contracts.media import Attachment

Role: TypeAlias = Literal["owner", "admin", "member"]
RoomKind: TypeAlias = Literal["direct", "group"]
MessageKind: TypeAlias = Literal["text", "file"]
ShortText: TypeAlias = Annotated[str, Meta(max_length=256)]
Seq: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
ClientId: TypeAlias = Annotated[
    str, Meta(pattern=r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$")
]


class Message(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`version` is that of its `message.created` and never changes; reactions are sets: their order means nothing."""

    room_id: str
    seq: int
    version: int
    sender_id: str
    client_id: str
    kind: MessageKind
    body: str
    at: str
    edited_at: str | None = None
    deleted: bool = False
    reply_to: int | None = None
    attachments: list[Attachment] = []
    mentions: list[str] = []
    reactions: dict[str, list[str]] = {}


class MessageContent(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What the author of a message decides: the same fields in frames, commands and HTTP requests.

    `client_id` is the idempotency key. An optional field that is added here travels from the client to the command.
    """

    client_id: ClientId
    body: str
    reply_to: Seq | None = None
    mentions: Annotated[list[ShortText], Meta(max_length=MAX_MENTIONS)] = []

    def content(self) -> dict[str, Any]:
        """Return the fields of this class by their names."""
        return {name: getattr(self, name) for name in MessageContent.__struct_fields__}


class NewMessage(MessageContent, omit_defaults=True, kw_only=True):
    """A message as clients send it. Its attachments were uploaded before."""

    body: str = ""
    attachment_ids: Annotated[list[ShortText], Meta(max_length=MAX_ATTACHMENTS)] = []


class Member(msgspec.Struct, kw_only=True):
    user_id: str
    role: Role
    read_seq: int
    joined_at: str


class Room(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A room as one of its members sees it; `unread` = `last_seq` - `read_seq`."""

    room_id: str
    kind: RoomKind
    title: str
    member_count: int
    version: int
    last_seq: int
    read_seq: int
    unread: int
    muted: bool
    role: Role
    last_message: Message | None = None
    peer_id: str | None = None
    pinned_seq: int | None = None


class RoomDetail(Room, omit_defaults=True, kw_only=True):
    members: list[Member]


# Reading


class PageChoice(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Which messages: at most one of the five, the newest page without; `at` in milliseconds."""

    before: int | None = None
    after: int | None = None
    around: int | None = None
    at: int | None = None
    offset: int | None = None
    limit: int = DEFAULT_PAGE


class MessagesRequest(msgspec.Struct, kw_only=True):
    user_id: str
    room_id: str
    choice: PageChoice


class MessagesPage(msgspec.Struct, kw_only=True):
    """Ascending by seq. `version` is that of the room when the page was read."""

    epoch: str
    messages: list[Message]
    has_more: bool
    version: int


class RoomSnapshotRequest(msgspec.Struct):
    user_id: str
    room_id: str


class RoomSnapshot(msgspec.Struct, kw_only=True):
    """The room and its newest page, read in one snapshot."""

    epoch: str
    room: RoomDetail
    messages: list[Message]
    version: int


class Membership(msgspec.Struct, kw_only=True):
    """Where a member stands: in the room from `since` on, seeing messages above `joined_seq`.

    `since` is the version of the member's joining, or of the message that showed a hidden direct room again.
    """

    since: int
    joined_version: int
    joined_seq: int
    muted: bool


class RoomEntry(msgspec.Struct, rename={"membership": "place"}):
    room: Room
    membership: Membership


class RoomList(msgspec.Struct):
    """A user's rooms, read in one snapshot. `revision` rises with every change of that set or of its mute marks."""

    revision: int
    rooms: list[RoomEntry]


class RoomListsRequest(msgspec.Struct):
    """The rooms of several users: those named, or all where the list is None. Rooms one is not in are left out."""

    users: dict[str, list[str] | None]


class RoomLists(msgspec.Struct):
    epoch: str
    users: dict[str, RoomList]


class RoomListPageRequest(msgspec.Struct, kw_only=True):
    user_id: str
    before: str | None = None
    limit: int = MAX_PAGE


class RoomListPage(msgspec.Struct):
    """Newest activity first."""

    epoch: str
    rooms: list[Room]
    next: str | None


class UserIdsRequest(msgspec.Struct):
    user_ids: list[str]


class UserMemberships(msgspec.Struct):
    revision: int
    rooms: dict[str, Membership]


class Memberships(msgspec.Struct):
    """Where each user stands, in all of its rooms."""

    epoch: str
    users: dict[str, UserMemberships]


class Revisions(msgspec.Struct):
    """The revision of each user's rooms; a user without one is at 0."""

    epoch: str
    revisions: dict[str, int]


class EventsRequest(msgspec.Struct):
    """The events after a version, for several rooms."""

    cursors: dict[str, int]


class RoomEvents(msgspec.Struct):
    """Consecutive events from the cursor + 1 on, as far as one answer holds; `head` is the room's newest version.

    `gone`: the events right after the cursor are no longer kept, or the cursor is past the head.
    """

    head: int
    events: list[msgspec.Raw]
    gone: bool = False


class Events(msgspec.Struct):
    """Rooms that do not exist are left out."""

    epoch: str
    rooms: dict[str, RoomEvents]


class SharedRoomsRequest(msgspec.Struct):
    user_id: str
    other_ids: list[str]


class SharedWith(msgspec.Struct):
    """Those of the others who share at least one room with the user."""

    user_ids: list[str]


class MembershipCheckRequest(msgspec.Struct, kw_only=True):
    """Is the user in the room? And which of these attachments has the room let go? At most 10."""

    user_id: str
    room_id: str
    attachment_ids: list[str] = []


class MembershipCheck(msgspec.Struct, omit_defaults=True):
    """`is_in`: in rooms hidden by the user too, not in those that do not exist. `released`: never to be sent again."""

    is_in: bool
    released: list[str] = []


# Commands


class Command(msgspec.Struct, tag_field="op", omit_defaults=True, kw_only=True):
    """`command_id` (a UUID) makes a repeat harmless: it gets the first answer.

    `traceparent` is there only where the command's way is written down.
    """

    command_id: str
    room_id: str
    user_id: str
    traceparent: str = ""


class SendMessage(MessageContent, tag_field="op", tag="message.send", omit_defaults=True, kw_only=True):
    """A command, idempotent by `client_id` permanently. Its `command_id` is ignored."""

    command_id: str
    room_id: str
    user_id: str
    traceparent: str = ""
    attachments: list[Attachment] = []


class EditMessage(Command, tag="message.edit", kw_only=True):
    seq: int
    body: str


class DeleteMessage(Command, tag="message.delete", kw_only=True):
    seq: int


class ReactToMessage(Command, tag="message.react", kw_only=True):
    seq: int
    emoji: str
    remove: bool = False


class ReadRoom(Command, tag="room.read", kw_only=True):
    """Forward only, clamped to the room's last seq."""

    seq: int


class InviteMembers(Command, tag="room.invite", kw_only=True):
    user_ids: list[str]


class LeaveRoom(Command, tag="room.leave", kw_only=True):
    """Leave a group; hide a direct room."""


class RemoveMember(Command, tag="member.remove", kw_only=True):
    target_id: str


class SetRole(Command, tag="member.set_role", kw_only=True):
    target_id: str
    role: Role


class UpdateRoom(Command, tag="room.update", omit_defaults=True, kw_only=True):
    """What is UNSET stays; `pinned_seq` None unpins."""

    title: str | msgspec.UnsetType = msgspec.UNSET
    pinned_seq: int | msgspec.UnsetType | None = msgspec.UNSET


class MuteRoom(Command, tag="room.mute", kw_only=True):
    """Personal: no event of the room."""

    muted: bool


AnyCommand: TypeAlias = (
    SendMessage | EditMessage | DeleteMessage | ReactToMessage | ReadRoom | InviteMembers | LeaveRoom
    | RemoveMember | SetRole | UpdateRoom | MuteRoom
)  # fmt: skip


class CommandBatch(msgspec.Struct):
    """Commands in the order given, committed together; past `budget_ms` from its arrival nothing is committed."""

    budget_ms: int
    commands: list[AnyCommand]


class Accepted(msgspec.Struct, tag="done", omit_defaults=True, kw_only=True):
    """Committed, or it held already. `seq`, `at` for sends; `read_seq` for reads."""

    version: int
    seq: int | None = None
    at: str | None = None
    duplicate: bool = False
    read_seq: int | None = None


class Rejected(msgspec.Struct, tag="refused", kw_only=True):
    """Nothing was changed. `code` is one of the protocol's error codes."""

    code: str
    detail: str


Result: TypeAlias = Accepted | Rejected


class BatchResult(msgspec.Struct):
    """One result per command, in order."""

    epoch: str
    results: list[Result]
