"""What members read of one room: pages of messages, the room by itself, one message."""

import msgspec

from rooms.domain.errors import no_room
from rooms.domain.paging import Window, check_choice, nearest, window_of
from rooms.domain.shapes import NO_REACTIONS, member_of, message_of, room_detail, room_of
from rooms.domain.state import MemberState, RoomState, StoredMessage, weight
from rooms.service.dependencies import Dependencies
from rooms.storage import homes, members, messages, reactions
from shared.contracts.rooms import (
    DEFAULT_PAGE,
    PAGE_BYTES,
    Member,
    Message,
    MessagesPage,
    PageChoice,
    Room,
    RoomDetail,
    RoomSnapshot,
)
from shared.database.engine import Db


async def get_page(deps: Dependencies, room_id: str, user_id: str, choice: PageChoice) -> MessagesPage:
    """Raises DomainError for a bad choice, and for outsiders."""
    check_choice(choice)

    async def read(db: Db) -> MessagesPage:
        (room, member, _), epoch = await _seat(db, room_id, user_id)
        page, has_more = await _page(db, room, member, choice)
        return MessagesPage(epoch=epoch, messages=page, has_more=has_more, version=room.head_version)

    return await deps.database.snapshot(read)


async def enter(deps: Dependencies, room_id: str, user_id: str) -> RoomSnapshot:
    """The room and its newest page, in one snapshot; raises DomainError for outsiders."""

    async def read(db: Db) -> RoomSnapshot:
        (room, member, _), epoch = await _seat(db, room_id, user_id)
        page, _ = await _page(db, room, member, PageChoice(limit=DEFAULT_PAGE))
        people = await _members(db, room_id)
        detail = room_detail(room, member, page[-1] if page else None, people)
        return RoomSnapshot(epoch=epoch, room=detail, messages=page, version=room.head_version)

    return await deps.database.snapshot(read)


async def get_room(deps: Dependencies, room_id: str, user_id: str) -> Room:
    """A room as in lists; raises DomainError for outsiders."""

    async def read(db: Db) -> Room:
        (room, member, last), _ = await _seat(db, room_id, user_id)
        shown = await show_messages(db, [last] if last else [])
        return room_of(room, member, shown[0] if shown else None)

    return await deps.database.snapshot(read)


async def get_detail(deps: Dependencies, room_id: str, user_id: str) -> RoomDetail:
    """Raises DomainError for outsiders."""

    async def read(db: Db) -> RoomDetail:
        (room, member, last), _ = await _seat(db, room_id, user_id)
        shown = await show_messages(db, [last] if last else [])
        people = await _members(db, room_id)
        return room_detail(room, member, shown[0] if shown else None, people)

    return await deps.database.snapshot(read)


async def get_message(deps: Dependencies, room_id: str, seq: int) -> Message:
    """A message known to be there, for its sender."""

    async def read(db: Db) -> Message:
        return (await show_messages(db, await messages.list_range(db, room_id, seq, seq)))[0]

    return await deps.database.snapshot(read)


async def show_messages(db: Db, stored: list[StoredMessage]) -> list[Message]:
    """Messages with their reactions."""
    reacted = await reactions.list_reactions(db, [message.key for message in stored if message.reaction_count])
    return [message_of(message, reacted.get(message.key, NO_REACTIONS)) for message in stored]


async def _members(db: Db, room_id: str) -> list[Member]:
    return [member_of(member) for member in await members.list_members(db, room_id)]


async def _seat(db: Db, room_id: str, user_id: str) -> tuple[homes.Seat, str]:
    found = await homes.find_seat(db, room_id, user_id)
    if found is None:
        raise no_room()
    return found


async def _page(db: Db, room: RoomState, member: MemberState, choice: PageChoice) -> tuple[list[Message], bool]:
    first_at = None if choice.at is None else await messages.find_first_at(db, room.id, choice.at)
    window = window_of(choice, member.joined_seq, room.head_seq, first_at)
    stored = await messages.list_range(db, room.id, window.first, window.last)
    near = nearest(stored, [weight(message) // 2 for message in stored], window.anchor, PAGE_BYTES)
    page = _fitting(await show_messages(db, near), window)
    return page, window.has_more or len(page) < len(stored)


def _fitting(page: list[Message], window: Window) -> list[Message]:
    sizes = [len(msgspec.json.encode(message)) + 1 for message in page]
    return nearest(page, sizes, window.anchor, PAGE_BYTES)
