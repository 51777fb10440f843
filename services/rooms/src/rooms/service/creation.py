"""New rooms, each in one transaction that holds the revision rows of all whom it lets in.

So a pair has one direct room, whatever races, and nobody is let in while the account is being closed.
"""

from rooms.domain.creation import check_direct, create_direct, create_group, show_again
from rooms.domain.errors import invalid
from rooms.domain.state import RoomState, direct_key
from rooms.domain.well_formed import check_user_ids, title_of
from rooms.domain.work import Work
from rooms.service.accounts import find_open
from rooms.service.auditing import audit_events
from rooms.service.dependencies import Dependencies
from rooms.service.publisher import Committed
from rooms.service.writing import write
from rooms.storage import epochs, members, people, rooms
from shared.database.engine import Db
from shared.ids import new_id, now_ms


async def open_group(deps: Dependencies, creator_id: str, title: str, user_ids: list[str]) -> str:
    """The new room's id; raises DomainError."""
    title = title_of(title)
    check_user_ids(user_ids)
    known = await find_open(deps.auth, {creator_id, *user_ids})

    async def create(db: Db) -> tuple[str, Committed]:
        work = await _load(db, creator_id, set(user_ids), known)
        room = create_group(work, new_id(), creator_id, title, user_ids)
        return room.id, await _write(db, work)

    room_id, committed = await deps.database.transact(create)
    deps.publisher.add(committed)
    audit_events(committed.events)
    return room_id


async def open_direct(deps: Dependencies, user_id: str, other_id: str) -> tuple[str, bool]:
    """The id of the pair's room, and whether it is new; raises DomainError."""
    if not other_id:
        raise invalid("user_id: is missing.")
    check_user_ids([other_id])
    known = await find_open(deps.auth, {user_id, other_id})

    async def find_or_create(db: Db) -> tuple[str, bool, Committed]:
        work = await _load(db, user_id, {other_id}, known)
        check_direct(work, user_id, other_id)
        found = await rooms.find_direct(db, direct_key(user_id, other_id))
        if found is None:
            room = create_direct(work, new_id(), user_id, other_id)
        else:
            room = await _show(db, work, found, user_id)
        return room.id, found is None, await _write(db, work)

    room_id, is_new, committed = await deps.database.transact(find_or_create)
    deps.publisher.add(committed)
    return room_id, is_new


async def _show(db: Db, work: Work, found: RoomState, user_id: str) -> RoomState:
    work.rooms = await rooms.lock_rooms(db, [found.id])
    work.members, _ = await members.find_members(db, [(found.id, user_id)])
    show_again(work, work.rooms[found.id], user_id)
    return work.rooms[found.id]


async def _load(db: Db, user_id: str, others: set[str], known: set[str] | None) -> Work:
    everyone = {user_id, *others}
    await people.lock_people(db, everyone)
    return Work(
        now=now_ms(),
        known=known,
        closed=await people.find_closed(db, everyone),
        room_counts=await members.count_rooms(db, everyone),
        blocked=await people.find_blocked(db, {(other, user_id) for other in others}),
    )


async def _write(db: Db, work: Work) -> Committed:
    epoch = await epochs.get_epoch(db)
    revisions = await write(db, work)
    return Committed(epoch=epoch, events=[recorded.event for recorded in work.events], revisions=revisions)
