"""The working state of one batch: what was read, changed in place by one command after the other, and what changed.

A command checks everything before it changes anything, so that a refused one leaves no trace.
"""

from collections.abc import Collection

import msgspec

from rooms.domain.errors import no_message, no_room
from rooms.domain.shapes import time_text
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
from shared.contracts.rooms import Command
from shared.events.rooms import RoomEvent


class Recorded(msgspec.Struct):
    """An event as it is stored: `at` in milliseconds."""

    event: RoomEvent
    at: int
    actor_id: str
    command_id: str | None = None


class Sent(msgspec.Struct):
    """What a repeat of a send is compared with and answered."""

    seq: int
    version: int
    at: int
    digest: bytes


class Work(msgspec.Struct):
    now: int
    known: Collection[str] | None = ()
    """The open accounts among those invited; None: auth did not answer."""
    rooms: dict[str, RoomState] = {}
    members: dict[MemberKey, MemberState] = {}
    messages: dict[MessageKey, StoredMessage] = {}
    reactions: set[ReactionKey] = set()
    """Those of the reactions named by the batch that are there."""
    emoji: dict[MessageKey, dict[str, int]] = {}
    """For messages reacted to: how many have reacted with each emoji."""
    uses: dict[AttachmentKey, int | None] = {}
    """How many messages refer to each attachment that is named; None: it was let go for good."""
    sent: dict[ClientKey, Sent] = {}
    answered: dict[ClientKey, int] = {}
    """The version that answered a command of this id."""
    blocked: set[tuple[str, str]] = set()
    """(who blocks, whom)"""
    closed: set[str] = set()
    room_counts: dict[str, int] = {}
    """In how many rooms those are who are invited."""

    events: list[Recorded] = []
    created_rooms: set[str] = set()
    changed_rooms: set[str] = set()
    new_messages: dict[MessageKey, StoredMessage] = {}
    changed_messages: dict[MessageKey, StoredMessage] = {}
    changed_members: dict[MemberKey, MemberState] = {}
    moved_cursors: dict[MemberKey, MemberState] = {}
    reads: dict[str, dict[str, int]] = {}
    """Cursors to tell of: room id → user id → seq. A send implies the read and is not among them."""
    new_reactions: dict[ReactionKey, int | None] = {}
    """The version of a reaction that came, None for one that went."""
    cleared: set[MessageKey] = set()
    """Messages that lost all of their reactions."""
    new_uses: set[tuple[str, str, int]] = set()
    """(room id, attachment id, seq)"""
    ended_uses: set[tuple[str, str, int]] = set()
    released: set[AttachmentKey] = set()
    """Attachments that no message refers to any more."""
    revised: set[str] = set()
    """Users whose list of rooms changed."""


def where(work: Work, command: Command) -> tuple[RoomState, MemberState]:
    """Return the command's room and its user's membership; raises `no_room` for non-members as well."""
    room = work.rooms.get(command.room_id)
    member = work.members.get((command.room_id, command.user_id))
    if room is None or member is None or not member.is_in:
        raise no_room()
    return room, member


def get_message(work: Work, room: RoomState, member: MemberState, seq: int) -> StoredMessage:
    """A message that the member may see; raises DomainError."""
    message = work.messages.get((room.id, seq))
    if message is None or seq <= member.joined_seq:
        raise no_message()
    return message


def next_event(work: Work, room: RoomState) -> tuple[int, str]:
    """Give out the room's next version; its time never runs backwards within a room."""
    room.head_version += 1
    room.updated_at = max(work.now, room.updated_at)
    work.changed_rooms.add(room.id)
    return room.head_version, time_text(room.updated_at)


def record(work: Work, room: RoomState, actor_id: str, event: RoomEvent) -> None:
    work.events.append(Recorded(event, room.updated_at, actor_id))


def change_member(work: Work, member: MemberState) -> None:
    work.changed_members[member.key] = member


def change_message(work: Work, message: StoredMessage) -> None:
    if message.key not in work.new_messages:
        work.changed_messages[message.key] = message
