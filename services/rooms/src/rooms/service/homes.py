"""What a user's rooms are: lists for home and for `ready`, places for the gateways' checks."""

from collections.abc import Mapping, Sequence

from rooms.domain.shapes import home_room, membership_of, room_of
from rooms.domain.state import MessageKey
from rooms.service.dependencies import Dependencies
from rooms.service.reading import show_messages
from rooms.storage import attachments, epochs, homes, members, people
from shared.contracts.rooms import (
    MAX_INTEGER,
    MembershipCheck,
    Memberships,
    Message,
    Revisions,
    RoomList,
    RoomListPage,
    RoomLists,
    SharedWith,
    UserMemberships,
)
from shared.database.engine import Db
from shared.web.cursors import IdKey, TimeKey, cursor_of, read_cursor

_NEWEST = (MAX_INTEGER, "ffffffff-ffff-ffff-ffff-ffffffffffff")


async def list_homes(deps: Dependencies, users: Mapping[str, list[str] | None]) -> RoomLists:
    """The rooms of several users in one snapshot: those named, or all."""
    whole = [user_id for user_id, named in users.items() if named is None]
    keys = [(room_id, user_id) for user_id, named in users.items() if named is not None for room_id in named]

    async def read(db: Db) -> RoomLists:
        epoch = await epochs.get_epoch(db)
        revisions = await people.find_revisions(db, users)
        seats = await homes.seats_of(db, whole) + await homes.named_seats(db, keys)
        last = await _last_messages(db, seats)
        found = {user_id: RoomList(revisions.get(user_id, 0), []) for user_id in users}
        for room, member, message in seats:
            found[member.user_id].rooms.append(home_room(room, member, last[message.key] if message else None))
        return RoomLists(epoch, found)

    return await deps.database.snapshot(read)


async def get_home_page(deps: Dependencies, user_id: str, before: str | None, limit: int) -> RoomListPage:
    """Newest activity first; raises Invalid for a cursor that is none."""
    membership = _NEWEST if before is None else read_cursor(before, tuple[TimeKey, IdKey])

    async def read(db: Db) -> RoomListPage:
        epoch = await epochs.get_epoch(db)
        seats = await homes.list_seats(db, user_id, membership, limit + 1)
        last = await _last_messages(db, seats)
        page = [room_of(room, member, last[message.key] if message else None) for room, member, message in seats]
        end = seats[limit - 1][0] if len(seats) > limit else None
        return RoomListPage(epoch, page[:limit], cursor_of([end.updated_at, end.id]) if end else None)

    return await deps.database.snapshot(read)


async def _last_messages(db: Db, seats: Sequence[homes.Seat]) -> dict[MessageKey, Message]:
    stored = {message.key: message for _, _, message in seats if message}
    shown = await show_messages(db, list(stored.values()))
    return {(message.room_id, message.seq): message for message in shown}


async def list_memberships(deps: Dependencies, user_ids: Sequence[str]) -> Memberships:
    async def read(db: Db) -> Memberships:
        epoch = await epochs.get_epoch(db)
        revisions = await people.find_revisions(db, user_ids)
        found = {user_id: UserMemberships(revisions.get(user_id, 0), {}) for user_id in user_ids}
        for member in await members.places_of(db, user_ids):
            found[member.user_id].rooms[member.room_id] = membership_of(member)
        return Memberships(epoch, found)

    return await deps.database.snapshot(read)


async def list_revisions(deps: Dependencies, user_ids: Sequence[str]) -> Revisions:
    async def read(db: Db) -> Revisions:
        epoch = await epochs.get_epoch(db)
        revisions = await people.find_revisions(db, user_ids)
        return Revisions(epoch=epoch, revisions={user_id: revisions.get(user_id, 0) for user_id in user_ids})

    return await deps.database.snapshot(read)


async def list_shared(deps: Dependencies, user_id: str, other_ids: Sequence[str]) -> SharedWith:
    async with deps.database.read() as db:
        return SharedWith(await members.list_sharing(db, user_id, other_ids))


async def get_membership(
    deps: Dependencies, user_id: str, room_id: str, attachment_ids: Sequence[str]
) -> MembershipCheck:
    async with deps.database.read() as db:
        found, _ = await members.find_members(db, [(room_id, user_id)])
        keys = [(room_id, attachment_id) for attachment_id in attachment_ids]
        uses = await attachments.count_uses(db, keys) if keys else {}
    released = [attachment_id for (_, attachment_id), count in uses.items() if count is None]
    return MembershipCheck(any(member.is_in for member in found.values()), released)
