"""Room lists: the rooms of a user with unread counts and last messages."""

from collections.abc import Mapping, Sequence

from rooms.domain.serializers import room_entry, room_of
from rooms.domain.state import MessageKey
from rooms.service.dependencies import Dependencies
from rooms.service.queries.reading import add_reactions
from rooms.storage import epochs, room_lists, users
from shared.contracts.limits import MAX_INTEGER
from shared.contracts.rooms import Message, RoomList, RoomListPage, RoomLists
from shared.database.engine import Db
from shared.web.cursors import IdKey, TimeKey, cursor_of, read_cursor

_NEWEST = (MAX_INTEGER, "ffffffff-ffff-ffff-ffff-ffffffffffff")


async def list_room_lists(deps: Dependencies, users_and_rooms: Mapping[str, list[str] | None]) -> RoomLists:
    """Return the rooms of several users in one snapshot: for each user the given rooms, or all for None."""
    whole = [user_id for user_id, room_ids in users_and_rooms.items() if room_ids is None]
    keys = [(room_id, user_id) for user_id, room_ids in users_and_rooms.items() for room_id in room_ids or ()]

    async def load(db: Db) -> RoomLists:
        epoch = await epochs.get_epoch(db)
        revisions = await users.find_revisions(db, users_and_rooms)
        rows = await room_lists.list_rows(db, whole) + await room_lists.list_named_rows(db, keys)
        last = await _last_messages(db, rows)
        lists = {user_id: RoomList(revisions.get(user_id, 0), []) for user_id in users_and_rooms}
        for room, member, message in rows:
            lists[member.user_id].rooms.append(room_entry(room, member, last[message.key] if message else None))
        return RoomLists(epoch, lists)

    return await deps.database.snapshot(load)


async def get_room_list_page(deps: Dependencies, user_id: str, before: str | None, limit: int) -> RoomListPage:
    """Return a page of a user's rooms, latest activity first. Raises Invalid for a bad cursor."""
    after = _NEWEST if before is None else read_cursor(before, tuple[TimeKey, IdKey])

    async def load(db: Db) -> RoomListPage:
        epoch = await epochs.get_epoch(db)
        rows = await room_lists.list_page(db, user_id, after, limit + 1)
        last = await _last_messages(db, rows)
        page = [room_of(room, member, last[message.key] if message else None) for room, member, message in rows]
        end = rows[limit - 1][0] if len(rows) > limit else None
        return RoomListPage(epoch, page[:limit], cursor_of([end.updated_at, end.id]) if end else None)

    async with deps.reads.worker(user_id):
        return await deps.database.snapshot(load)


async def _last_messages(db: Db, rows: Sequence[room_lists.RoomListRow]) -> dict[MessageKey, Message]:
    stored = {message.key: message for _, _, message in rows if message}
    messages = await add_reactions(db, list(stored.values()))
    return {(message.room_id, message.seq): message for message in messages}
