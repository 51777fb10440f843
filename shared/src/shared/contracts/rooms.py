"""Contracts of rooms: rooms, members and messages, and requests of the gateway.

A room is a log: `version` counts its events and `seq` its messages, both from 1 without gaps.
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
    """`version` is that of its `message.created` and never changes. The order of reactions has no meaning."""

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
    """The fields that the author of a message decides, the same in frames, commands and HTTP requests.

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

    body: Annotated[str, Meta(extra_json_schema={"format": "text", "maxLength": 4000})] = ""
    attachment_ids: Annotated[list[ShortText], Meta(max_length=MAX_ATTACHMENTS)] = []


class Member(msgspec.Struct, kw_only=True):
    user_id: str
    role: Role
    read_seq: int
    joined_at: str


class Room(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A room as one of its members sees it. `unread` is `last_seq` - `read_seq`."""

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


# Loading rooms and messages


class PageChoice(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Selects a page by at most one of five fields; without any it is the newest page. `at` is in milliseconds."""

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
    """Messages in ascending order. `version` is that of the room when the page was loaded."""

    epoch: str
    messages: list[Message]
    has_more: bool
    version: int


class RoomSnapshotRequest(msgspec.Struct):
    user_id: str
    room_id: str


class RoomSnapshot(msgspec.Struct, kw_only=True):
    """The room and its newest page, loaded in one snapshot."""

    epoch: str
    room: RoomDetail
    messages: list[Message]
    version: int


class Membership(msgspec.Struct, kw_only=True):
    """A membership. The member sees events from version `since` on, and messages above `joined_seq`.

    `since` is the version of the join, or of the message that made a hidden direct room visible again. The other member
    of a direct room has blocked a member who is `silenced`.
    """

    since: int
    joined_version: int
    joined_seq: int
    muted: bool
    silenced: bool = False


class RoomEntry(msgspec.Struct, rename={"membership": "place"}):
    room: Room
    membership: Membership


class RoomList(msgspec.Struct):
    """A user's rooms, loaded in one snapshot. `revision` rises when rooms are added, removed, muted or silenced."""

    revision: int
    rooms: list[RoomEntry]


class RoomListsRequest(msgspec.Struct):
    """Ask for rooms of several users: the listed ones, or all if the list is None. Others' rooms are left out."""

    users: dict[str, list[str] | None]


class RoomLists(msgspec.Struct):
    epoch: str
    users: dict[str, RoomList]


class RoomListPageRequest(msgspec.Struct, kw_only=True):
    user_id: str
    before: str | None = None
    limit: int = MAX_PAGE


class RoomListPage(msgspec.Struct):
    """A page of a user's rooms, the most recently active first."""

    epoch: str
    rooms: list[Room]
    next: str | None


class UserIdsRequest(msgspec.Struct):
    user_ids: list[str]


class UserMemberships(msgspec.Struct):
    revision: int
    rooms: dict[str, Membership]


class Memberships(msgspec.Struct):
    """The memberships of each user in all rooms."""

    epoch: str
    users: dict[str, UserMemberships]


class Revisions(msgspec.Struct):
    """The revision of each user's room list, 0 for a user without rooms."""

    epoch: str
    revisions: dict[str, int]


class EventsRequest(msgspec.Struct):
    """Ask for the events of several rooms after a version."""

    cursors: dict[str, int]


class RoomEvents(msgspec.Struct):
    """Consecutive events after the cursor, as many as fit. `head` is the room's newest version.

    `gone` means that the events right after the cursor were removed, or that the cursor is beyond the head.
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
    """The users among the requested ones who have at least one room in common with the user."""

    user_ids: list[str]


class MembershipCheckRequest(msgspec.Struct, kw_only=True):
    """Ask whether the user is in the room, and which of these attachments (at most 10) are unreferenced in it."""

    user_id: str
    room_id: str
    attachment_ids: list[str] = []


class MembershipCheck(msgspec.Struct, omit_defaults=True):
    """`is_in` is true for hidden rooms too. `released` attachments can never be sent again in this room."""

    is_in: bool
    released: list[str] = []


# Commands


class Command(msgspec.Struct, tag_field="op", omit_defaults=True, kw_only=True):
    """`command_id` (a UUID) makes commands idempotent: a repeat of one that created an event gets the first answer.

    `traceparent` is set only for sampled commands.
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
    """Move the read cursor forward, at most to the room's last seq."""

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
    """Change the given fields. `pinned_seq` None unpins."""

    title: str | msgspec.UnsetType = msgspec.UNSET
    pinned_seq: int | msgspec.UnsetType | None = msgspec.UNSET


class MuteRoom(Command, tag="room.mute", kw_only=True):
    """Mute or unmute the room for this user. It creates no event."""

    muted: bool


AnyCommand: TypeAlias = (
    SendMessage | EditMessage | DeleteMessage | ReactToMessage | ReadRoom | InviteMembers | LeaveRoom
    | RemoveMember | SetRole | UpdateRoom | MuteRoom
)  # fmt: skip


class CommandBatch(msgspec.Struct):
    """Commands that are committed together, in order. No commit begins later than `budget_ms` after arrival."""

    budget_ms: int
    commands: list[AnyCommand]


class Accepted(msgspec.Struct, tag="done", omit_defaults=True, kw_only=True):
    """The command was committed, or changed nothing. `seq` and `at` are set for sends, `read_seq` for reads."""

    version: int
    seq: int | None = None
    at: str | None = None
    duplicate: bool = False
    read_seq: int | None = None


class Rejected(msgspec.Struct, tag="refused", kw_only=True):
    """The command changed nothing, or its outcome is unknown if the code is `unavailable`."""

    code: str
    detail: str


Result: TypeAlias = Accepted | Rejected


class BatchResult(msgspec.Struct):
    """One result per command, in order."""

    epoch: str
    results: list[Result]
