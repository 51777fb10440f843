"""Writes what a batch changed: one statement for each kind of row, and only for those that changed."""

from rooms.domain.event_rows import row_of
from rooms.domain.work import Work
from rooms.storage import attachments, members, messages, people, reactions, room_events, rooms
from shared.database.engine import Db
from shared.events.rooms import AttachmentsReleased
from shared.outbox.table import record_events

IDS_PER_EVENT = 1_000
"""The outbox takes 64 KiB."""


async def write(db: Db, work: Work) -> dict[str, int]:
    """Returns the new revisions of the users whose list of rooms changed."""
    await _write_log(db, work)
    await _write_members(db, work)
    await _write_reactions(db, work)
    return await people.raise_revisions(db, work.revised)


async def _write_log(db: Db, work: Work) -> None:
    await rooms.insert_rooms(db, [work.rooms[room_id] for room_id in work.created_rooms])
    await messages.insert_messages(db, work.new_messages.values())
    await messages.save_messages(db, work.changed_messages.values())
    await _write_attachments(db, work)
    await room_events.insert_events(db, map(row_of, work.events))
    changed = sorted(work.changed_rooms - work.created_rooms)
    await rooms.save_heads(db, [work.rooms[room_id] for room_id in changed])


async def _write_attachments(db: Db, work: Work) -> None:
    """Media hears of what is let go through the outbox."""
    await attachments.save_uses(db, work.new_uses, work.ended_uses, work.released)
    rooms_of: dict[str, list[str]] = {}
    for room_id, attachment_id in sorted(work.released):
        rooms_of.setdefault(room_id, []).append(attachment_id)
    released = [
        AttachmentsReleased(room_id=room_id, attachment_ids=ids[first : first + IDS_PER_EVENT], at=work.now)
        for room_id, ids in rooms_of.items()
        for first in range(0, len(ids), IDS_PER_EVENT)
    ]
    await record_events(db, *released)


async def _write_members(db: Db, work: Work) -> None:
    cursors = [member for key, member in work.moved_cursors.items() if key not in work.changed_members]
    await members.save_cursors(db, cursors)
    await members.save_members(db, work.changed_members.values())


async def _write_reactions(db: Db, work: Work) -> None:
    await reactions.clear_reactions(db, work.cleared)
    changes = {key: version for key, version in work.new_reactions.items() if key[:2] not in work.cleared}
    await reactions.save_reactions(db, changes, work.reactions)
