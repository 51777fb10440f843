"""Reads one room for a member: pages of messages, the room with its members, a snapshot of both."""

import msgspec

from rooms.domain.errors import no_room
from rooms.domain.paging import At, Offset, Window, anchor_of, nearest, window_of
from rooms.domain.serializers import NO_REACTIONS, member_of, message_of, room_detail, room_of
from rooms.domain.state import MemberState, RoomState, StoredMessage, estimated_bytes
from rooms.service.dependencies import Dependencies
from rooms.service.queries.recent_messages import RecentMessages
from rooms.storage import members, messages, reactions, room_lists
from shared.contracts.limits import DEFAULT_PAGE, MAX_PAGE_BYTES
from shared.contracts.rooms import Member, Message, PageChoice, Room, RoomDetail, RoomSnapshot
from shared.database.engine import Db


class EncodedPage(msgspec.Struct, kw_only=True):
    """A `MessagesPage` whose messages are encoded."""

    epoch: str
    messages: list[msgspec.Raw]
    has_more: bool
    version: int


async def get_page(deps: Dependencies, room_id: str, user_id: str, choice: PageChoice) -> EncodedPage:
    """Return a page of messages. Raises DomainError for a bad choice, for non-members, and for too many requests."""
    anchor = anchor_of(choice)
    if anchor == Offset(0) and (cached := await _find_cached(deps, room_id, user_id, choice.limit)) is not None:
        return cached

    async def load(db: Db) -> tuple[EncodedPage, Window]:
        view = (await room_lists.find_views(db, [(room_id, user_id)])).get((room_id, user_id))
        if view is None:
            raise no_room()
        first_at = await messages.find_first_at(db, room_id, anchor.time) if isinstance(anchor, At) else None
        window = window_of(anchor, choice.limit, view.joined_seq, view.head_seq, first_at)
        page, has_more = await _encoded(db, room_id, window)
        return EncodedPage(epoch=view.epoch, messages=page, has_more=has_more, version=view.head_version), window

    async with deps.reads.worker(user_id):
        page, window = await deps.database.snapshot(load)
    if anchor == Offset(0) and len(page.messages) == window.last - window.first + 1:
        recent = RecentMessages(page.epoch, page.version, window.first, page.messages)
        deps.recent_messages.put(room_id, recent)
    return page


async def _find_cached(deps: Dependencies, room_id: str, user_id: str, limit: int) -> EncodedPage | None:
    """Return the newest page from memory, if it is the current one."""
    if room_id not in deps.recent_messages:
        return None
    view = await deps.views.get(room_id, user_id)
    window = window_of(Offset(0), limit, view.joined_seq, view.head_seq)
    found = deps.recent_messages.find(room_id, view.epoch, view.head_version, window.first)
    if found is None:
        return None
    return EncodedPage(epoch=view.epoch, messages=found, has_more=window.has_more, version=view.head_version)


async def get_snapshot(deps: Dependencies, room_id: str, user_id: str) -> RoomSnapshot:
    """Return the room and its newest page at one version. Raises DomainError for non-members."""

    async def load(db: Db) -> RoomSnapshot:
        (room, member, _), epoch = await _find_row(db, room_id, user_id)
        page = await _newest(db, room, member)
        detail = room_detail(room, member, page[-1] if page else None, await _members(db, room_id))
        return RoomSnapshot(epoch=epoch, room=detail, messages=page, version=room.head_version)

    async with deps.reads.worker(user_id):
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


async def _newest(db: Db, room: RoomState, member: MemberState) -> list[Message]:
    window = window_of(Offset(0), DEFAULT_PAGE, member.joined_seq, room.head_seq)
    page = await _load_window(db, room.id, window)
    sizes = [len(msgspec.json.encode(message)) + 1 for message in page]
    return nearest(page, sizes, window.anchor, MAX_PAGE_BYTES)


async def _encoded(db: Db, room_id: str, window: Window) -> tuple[list[msgspec.Raw], bool]:
    """Return the encoded messages of a window, as far as they fit into a page, and whether there are more."""
    page = await _load_window(db, room_id, window)
    encoded = {message.seq: msgspec.json.encode(message) for message in page}
    kept = nearest(page, [len(one) + 1 for one in encoded.values()], window.anchor, MAX_PAGE_BYTES)
    has_more = window.has_more or len(kept) < window.last - window.first + 1
    return [msgspec.Raw(encoded[message.seq]) for message in kept], has_more


async def _load_window(db: Db, room_id: str, window: Window) -> list[Message]:
    stored = await messages.list_range(db, room_id, window.first, window.last)
    sizes = [estimated_bytes(message) // 2 for message in stored]
    return await add_reactions(db, nearest(stored, sizes, window.anchor, MAX_PAGE_BYTES))
