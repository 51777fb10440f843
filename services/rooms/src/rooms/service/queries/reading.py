"""Reads one room for a member: pages of messages, the room with its members, a snapshot of both."""

import msgspec

from rooms.domain.errors import no_room
from rooms.domain.paging import At, Offset, PageAnchor, Window, anchor_of, nearest, window_of
from rooms.domain.serializers import NO_REACTIONS, member_of, message_of, room_detail, room_of
from rooms.domain.state import MemberState, RoomState, StoredMessage, estimated_bytes
from rooms.service.dependencies import Dependencies
from rooms.storage import members, messages, reactions, room_lists
from shared.contracts.limits import DEFAULT_PAGE, MAX_PAGE_BYTES
from shared.contracts.rooms import Member, Message, MessagesPage, PageChoice, Room, RoomDetail, RoomSnapshot
from shared.database.engine import Db


async def get_page(deps: Dependencies, room_id: str, user_id: str, choice: PageChoice) -> MessagesPage:
    """Return a page of messages. Raises DomainError for a bad choice and for non-members."""
    anchor = anchor_of(choice)

    async def load(db: Db) -> MessagesPage:
        (room, member, _), epoch = await _find_row(db, room_id, user_id)
        page, has_more = await _page(db, room, member, anchor, choice.limit)
        return MessagesPage(epoch=epoch, messages=page, has_more=has_more, version=room.head_version)

    return await deps.database.snapshot(load)


async def get_snapshot(deps: Dependencies, room_id: str, user_id: str) -> RoomSnapshot:
    """Return the room and its newest page at one version. Raises DomainError for non-members."""

    async def load(db: Db) -> RoomSnapshot:
        (room, member, _), epoch = await _find_row(db, room_id, user_id)
        page, _ = await _page(db, room, member, Offset(0), DEFAULT_PAGE)
        detail = room_detail(room, member, page[-1] if page else None, await _members(db, room_id))
        return RoomSnapshot(epoch=epoch, room=detail, messages=page, version=room.head_version)

    return await deps.database.snapshot(load)


async def get_room(deps: Dependencies, room_id: str, user_id: str) -> Room:
    """Return a room without its members, as in room lists. Raises DomainError for non-members."""

    async def load(db: Db) -> Room:
        (room, member, last), _ = await _find_row(db, room_id, user_id)
        return room_of(room, member, await _last_message(db, last))

    return await deps.database.snapshot(load)


async def get_detail(deps: Dependencies, room_id: str, user_id: str) -> RoomDetail:
    """Return a room with its members. Raises DomainError for non-members."""

    async def load(db: Db) -> RoomDetail:
        (room, member, last), _ = await _find_row(db, room_id, user_id)
        return room_detail(room, member, await _last_message(db, last), await _members(db, room_id))

    return await deps.database.snapshot(load)


async def get_message(deps: Dependencies, room_id: str, seq: int) -> Message:
    """Return an existing message to its sender."""

    async def load(db: Db) -> Message:
        return (await add_reactions(db, await messages.list_range(db, room_id, seq, seq)))[0]

    return await deps.database.snapshot(load)


async def add_reactions(db: Db, stored: list[StoredMessage]) -> list[Message]:
    reacted = await reactions.list_reactions(db, [message.key for message in stored if message.reaction_count])
    return [message_of(message, reacted.get(message.key, NO_REACTIONS)) for message in stored]


async def _last_message(db: Db, last: StoredMessage | None) -> Message | None:
    return None if last is None else (await add_reactions(db, [last]))[0]


async def _members(db: Db, room_id: str) -> list[Member]:
    return [member_of(member) for member in await members.list_members(db, room_id)]


async def _find_row(db: Db, room_id: str, user_id: str) -> tuple[room_lists.RoomListRow, str]:
    found = await room_lists.find_row(db, room_id, user_id)
    if found is None:
        raise no_room()
    return found


async def _page(
    db: Db, room: RoomState, member: MemberState, anchor: PageAnchor, limit: int
) -> tuple[list[Message], bool]:
    first_at = await messages.find_first_at(db, room.id, anchor.time) if isinstance(anchor, At) else None
    window = window_of(anchor, limit, member.joined_seq, room.head_seq, first_at)
    stored = await messages.list_range(db, room.id, window.first, window.last)
    near = nearest(stored, [estimated_bytes(message) // 2 for message in stored], window.anchor, MAX_PAGE_BYTES)
    page = _cut_to_size(await add_reactions(db, near), window)
    return page, window.has_more or len(page) < len(stored)


def _cut_to_size(page: list[Message], window: Window) -> list[Message]:
    sizes = [len(msgspec.json.encode(message)) + 1 for message in page]
    return nearest(page, sizes, window.anchor, MAX_PAGE_BYTES)
