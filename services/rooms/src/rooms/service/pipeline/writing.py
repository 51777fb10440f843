"""Writes the changes of a unit of work, with one statement for each kind of row that changed."""

from rooms.domain.stored_events import stored_event_of
from rooms.domain.unit_of_work import UnitOfWork
from rooms.storage import attachments, members, messages, reactions, room_events, rooms, users
from shared.database.engine import Db
from shared.events.rooms import AttachmentsReleased
from shared.outbox.table import record_events

IDS_PER_EVENT = 1_000
"""Keeps the payload below the 64 KiB of an outbox row."""


async def write(db: Db, work: UnitOfWork) -> dict[str, int]:
    """Return the new revisions of the users whose room list changed."""
    await _write_log(db, work)
    await _write_members(db, work)
    await _write_reactions(db, work)
    return await users.raise_revisions(db, work.changed_room_lists)


async def _write_log(db: Db, work: UnitOfWork) -> None:
    await rooms.insert_rooms(db, [work.rooms[room_id] for room_id in work.created_rooms])
    await messages.insert_messages(db, work.new_messages.values())
    await messages.save_messages(db, work.changed_messages.values())
    await _write_attachments(db, work)
    await room_events.insert_events(db, map(stored_event_of, work.events))
    changed = sorted(work.changed_rooms - work.created_rooms)
    await rooms.save_rooms(db, [work.rooms[room_id] for room_id in changed])


async def _write_attachments(db: Db, work: UnitOfWork) -> None:
    """Save the references. media learns of unreferenced attachments through the outbox."""
    await attachments.save_references(db, work.new_references, work.removed_references, work.unreferenced)
    by_room: dict[str, list[str]] = {}
    for room_id, attachment_id in sorted(work.unreferenced):
        by_room.setdefault(room_id, []).append(attachment_id)
    events = [
        AttachmentsReleased(room_id=room_id, attachment_ids=ids[first : first + IDS_PER_EVENT], at=work.now)
        for room_id, ids in by_room.items()
        for first in range(0, len(ids), IDS_PER_EVENT)
    ]
    await record_events(db, *events)


async def _write_members(db: Db, work: UnitOfWork) -> None:
    cursors = [member for key, member in work.moved_cursors.items() if key not in work.changed_members]
    await members.save_cursors(db, cursors)
    await members.save_members(db, work.changed_members.values())


async def _write_reactions(db: Db, work: UnitOfWork) -> None:
    await reactions.clear_reactions(db, work.cleared_reactions)
    changes = {key: version for key, version in work.new_reactions.items() if key[:2] not in work.cleared_reactions}
    await reactions.save_reactions(db, changes, work.reactions)
