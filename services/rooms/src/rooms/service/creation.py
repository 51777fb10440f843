"""Creates rooms, each in one transaction that locks the revision rows of all members.

The locks ensure that a pair has only one direct room, and that no account joins a room while it is being closed.
"""

from rooms.domain.creation import check_direct, create_direct, create_group, show_again
from rooms.domain.errors import invalid
from rooms.domain.state import RoomState, direct_key
from rooms.domain.unit_of_work import UnitOfWork
from rooms.domain.validation import check_user_ids, title_of
from rooms.service.dependencies import Dependencies
from rooms.service.pipeline.accounts import find_open_accounts
from rooms.service.pipeline.auditing import audit_events
from rooms.service.pipeline.writing import write
from rooms.service.publication.publisher import Committed
from rooms.storage import epochs, members, rooms, users
from shared.database.engine import Db
from shared.ids import new_id, now_ms


async def open_group(deps: Dependencies, creator_id: str, title: str, user_ids: list[str]) -> str:
    """Create a group. Return its id. Raises DomainError."""
    title = title_of(title)
    check_user_ids(user_ids)
    await deps.opening_rate.count(creator_id)
    open_accounts = await find_open_accounts(deps.auth, {creator_id, *user_ids})

    async def create(db: Db) -> tuple[str, Committed]:
        work = await _load(db, creator_id, set(user_ids), open_accounts)
        room = create_group(work, new_id(), creator_id, title, user_ids)
        return room.id, await _write(db, work)

    async with deps.openings.worker(creator_id):
        room_id, committed = await deps.database.transact(create)
    deps.publisher.add(committed)
    audit_events(committed.events)
    return room_id


async def open_direct(deps: Dependencies, user_id: str, other_id: str) -> tuple[str, bool]:
    """Return the id of the pair's room, and whether it is new. Raises DomainError."""
    if not other_id:
        raise invalid("user_id: is missing.")
    check_user_ids([other_id])
    await deps.opening_rate.count(user_id)
    open_accounts = await find_open_accounts(deps.auth, {user_id, other_id})

    async def find_or_create(db: Db) -> tuple[str, bool, Committed]:
        work = await _load(db, user_id, {other_id}, open_accounts)
        check_direct(work, user_id, other_id)
        found = await rooms.find_direct(db, direct_key(user_id, other_id))
        if found is None:
            room = create_direct(work, new_id(), user_id, other_id)
        else:
            room = await _show_existing(db, work, found, user_id)
        return room.id, found is None, await _write(db, work)

    async with deps.openings.worker(user_id):
        room_id, is_new, committed = await deps.database.transact(find_or_create)
    if not is_new:
        await deps.opening_rate.give_back(user_id)
    deps.publisher.add(committed)
    return room_id, is_new


async def _show_existing(db: Db, work: UnitOfWork, found: RoomState, user_id: str) -> RoomState:
    work.rooms = await rooms.lock_rooms(db, [found.id])
    work.members, _ = await members.find_members(db, [(found.id, user_id)])
    show_again(work, work.rooms[found.id], user_id)
    return work.rooms[found.id]


async def _load(db: Db, user_id: str, others: set[str], open_accounts: set[str] | None) -> UnitOfWork:
    everyone = {user_id, *others}
    pairs = {pair for other in others for pair in ((other, user_id), (user_id, other))}
    await users.lock_users(db, everyone)
    return UnitOfWork(
        now=now_ms(),
        open_accounts=open_accounts,
        closed=await users.find_closed(db, everyone),
        room_counts=await members.count_rooms(db, everyone),
        blocked=await users.find_blocked(db, pairs),
    )


async def _write(db: Db, work: UnitOfWork) -> Committed:
    epoch = await epochs.get_epoch(db)
    revisions = await write(db, work)
    return Committed(epoch=epoch, events=[recorded.event for recorded in work.events], revisions=revisions)
