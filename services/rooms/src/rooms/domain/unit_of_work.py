"""The unit of work of one transaction: the loaded state, which commands change in place, and a record of the changes.

A command checks everything before it changes anything, so a rejected command changes nothing.
"""

from collections.abc import Collection

import msgspec

from rooms.domain.digests import NO_KEYS, DigestKeys
from rooms.domain.errors import no_message, no_room
from rooms.domain.serializers import time_text
from rooms.domain.state import (
    AttachmentKey,
    ClientKey,
    MemberKey,
    MemberState,
    MessageKey,
    ReactionKey,
    RoomState,
    StoredMessage,
)
from shared.contracts.rooms import AnyCommand
from shared.errors import Forbidden
from shared.events.rooms import RoomEvent


class RecordedEvent(msgspec.Struct):
    """An event that is to be stored. `at` is in milliseconds."""

    event: RoomEvent
    at: int
    actor_id: str
    command_id: str | None = None


class SentMessage(msgspec.Struct):
    """The result and the content digest of a stored message, with which a duplicate is compared and answered."""

    seq: int
    version: int
    at: int
    digest: bytes


class UnitOfWork(msgspec.Struct):
    """First the loaded state, then, from `events` on, the changes to write."""

    now: int
    digest_keys: DigestKeys = NO_KEYS
    open_accounts: Collection[str] | None = ()
    """The invited users who have an open account. None: auth did not answer."""
    rooms: dict[str, RoomState] = {}
    members: dict[MemberKey, MemberState] = {}
    messages: dict[MessageKey, StoredMessage] = {}
    reactions: set[ReactionKey] = set()
    """The existing reactions among those that the batch adds or removes."""
    emoji_counts: dict[MessageKey, dict[str, int]] = {}
    """The number of reactions per emoji, for messages that the batch reacts to."""
    references: dict[AttachmentKey, int | None] = {}
    """The number of messages that refer to each attachment. None: it is unreferenced permanently."""
    sent: dict[ClientKey, SentMessage] = {}
    answered: dict[ClientKey, int] = {}
    """The version with which a command of this id was answered."""
    blocked: set[tuple[str, str]] = set()
    """(who blocks, whom)"""
    closed: set[str] = set()
    room_counts: dict[str, int] = {}
    """The number of rooms of each invited user."""

    events: list[RecordedEvent] = []
    created_rooms: set[str] = set()
    changed_rooms: set[str] = set()
    new_messages: dict[MessageKey, StoredMessage] = {}
    changed_messages: dict[MessageKey, StoredMessage] = {}
    changed_members: dict[MemberKey, MemberState] = {}
    moved_cursors: dict[MemberKey, MemberState] = {}
    read_cursors: dict[str, dict[str, int]] = {}
    """Read cursors to publish: room id → user id → seq. Without those moved by a send, whose event implies the read."""
    new_reactions: dict[ReactionKey, int | None] = {}
    """The version of an added reaction, None for a removed one."""
    cleared_reactions: set[MessageKey] = set()
    """Messages that lost all reactions."""
    new_references: set[tuple[str, str, int]] = set()
    """(room id, attachment id, seq)"""
    removed_references: set[tuple[str, str, int]] = set()
    unreferenced: set[AttachmentKey] = set()
    """Attachments that lost their last reference."""
    changed_room_lists: set[str] = set()
    """Users whose room list changed."""

    def require_member(self, command: AnyCommand) -> tuple[RoomState, MemberState]:
        """Return the room of a command and the membership of its user. Raises `no_room` for non-members too."""
        room = self.rooms.get(command.room_id)
        member = self.members.get((command.room_id, command.user_id))
        if room is None or member is None or not member.is_current:
            raise no_room()
        return room, member

    def check_not_blocked(self, room: RoomState, user_id: str) -> None:
        """Raise Forbidden if the other member of this direct room has blocked the user."""
        peer_id = room.peer_of(user_id)
        if peer_id is not None and (peer_id, user_id) in self.blocked:
            raise Forbidden("You cannot write to this person.")

    def is_member(self, room: RoomState, user_id: str) -> bool:
        member = self.members.get((room.id, user_id))
        return member is not None and member.is_current

    def get_message(self, room: RoomState, member: MemberState, seq: int) -> StoredMessage:
        """Return a message that the member may see. Raises DomainError."""
        message = self.messages.get((room.id, seq))
        if message is None or seq <= member.joined_seq:
            raise no_message()
        return message

    def next_event(self, room: RoomState) -> tuple[int, str]:
        """Assign the next version of the room. Return it with its timestamp, which never decreases within a room."""
        room.head_version += 1
        room.updated_at = max(self.now, room.updated_at)
        self.changed_rooms.add(room.id)
        return room.head_version, time_text(room.updated_at)

    def record(self, room: RoomState, actor_id: str, event: RoomEvent) -> None:
        self.events.append(RecordedEvent(event, room.updated_at, actor_id))

    def mark_member_changed(self, member: MemberState) -> None:
        """Mark a member as changed."""
        self.changed_members[member.key] = member

    def mark_message_changed(self, message: StoredMessage) -> None:
        """Mark a message as changed, unless it is new."""
        if message.key not in self.new_messages:
            self.changed_messages[message.key] = message

    def move_cursor(self, member: MemberState, seq: int) -> bool:
        """Move a read cursor, but only forward. Return whether it moved."""
        if seq <= member.read_seq:
            return False
        member.read_seq = seq
        self.moved_cursors[member.key] = member
        return True

    def show(self, member: MemberState, version: int) -> None:
        """Show a hidden direct room to a member again, from this version on."""
        member.hidden, member.shown_version = False, version
        self.mark_member_changed(member)
        self.changed_room_lists.add(member.user_id)
