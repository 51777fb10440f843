"""Loads the unit of work of a batch, with one statement for each kind of row, however many commands there are.

The rooms are locked first. Everything loaded afterwards, including the epoch, is as the last transaction left it.
"""

from collections.abc import Collection

from rooms.domain.digests import DigestKeys
from rooms.domain.read_set import ReadSet, read_set_of
from rooms.domain.state import MemberKey, attachments_of
from rooms.domain.unit_of_work import UnitOfWork
from rooms.storage import attachments, members, messages, reactions, room_events, rooms, users
from shared.contracts.rooms import AnyCommand
from shared.database.engine import Db
from shared.ids import now_ms


async def load(
    db: Db, commands: list[AnyCommand], open_accounts: Collection[str] | None, digest_keys: DigestKeys
) -> tuple[UnitOfWork, str | None]:
    """Return the unit of work, and the epoch under which its events are published (None: no member was found)."""
    read_set = read_set_of(commands)
    work = UnitOfWork(now=0, open_accounts=open_accounts, digest_keys=digest_keys)
    await _load_rooms(db, read_set, work)
    work.now = now_ms()
    if not work.rooms:
        return work, None
    epoch = await _load_members(db, read_set, work)
    await _load_duplicates(db, read_set, work)
    await _load_messages(db, read_set, work)
    await _load_users(db, read_set, work)
    return work, epoch


async def _load_rooms(db: Db, read_set: ReadSet, work: UnitOfWork) -> None:
    if read_set.locked_rooms:
        work.rooms = await rooms.lock_rooms(db, read_set.locked_rooms)
    if read_set.unlocked_rooms:
        work.rooms |= await rooms.load_rooms(db, read_set.unlocked_rooms)


async def _load_members(db: Db, read_set: ReadSet, work: UnitOfWork) -> str | None:
    keys = {key for key in read_set.members if key[0] in work.rooms}
    keys.update((room.id, user) for room in work.rooms.values() for user in room.pair)
    work.members, epoch = await members.find_members(db, keys)
    if losing := _rooms_losing_owner(read_set, work):
        work.members = await members.find_members_of_rooms(db, losing) | work.members
    return epoch


def _rooms_losing_owner(read_set: ReadSet, work: UnitOfWork) -> set[str]:
    """Return the rooms whose owner may leave. All their members are loaded, to choose the next owner."""

    def may_own(key: MemberKey) -> bool:
        member = work.members.get(key)
        return key[0] in read_set.new_owners or (member is not None and member.role == "owner")

    return {key[0] for key in read_set.leavers if may_own(key)}


async def _load_duplicates(db: Db, read_set: ReadSet, work: UnitOfWork) -> None:
    if sends := [key for key in read_set.sends if key[0] in work.rooms]:
        work.sent = await messages.find_sent(db, sends)
    if commands := [key for key in read_set.commands if key[0] in work.rooms]:
        work.answered = await room_events.find_answered(db, commands)


async def _load_messages(db: Db, read_set: ReadSet, work: UnitOfWork) -> None:
    if keys := [key for key in read_set.messages if key[0] in work.rooms]:
        work.messages = await messages.find_messages(db, keys)
    deleted = [message for key, message in work.messages.items() if key in read_set.deletions]
    referenced = {(message.room_id, one.attachment_id) for message in deleted for one in attachments_of(message)}
    referenced.update(key for key in read_set.attachments if key[0] in work.rooms)
    if referenced:
        work.references = await attachments.count_references(db, referenced)
    reacted = {key for key, message in work.messages.items() if message.reaction_count}
    if named := [key for key in read_set.reactions if key[:2] in reacted]:
        work.reactions = await reactions.find_reactions(db, named)
        work.emoji_counts = await reactions.count_emoji(db, {key[:2] for key in named})


async def _load_users(db: Db, read_set: ReadSet, work: UnitOfWork) -> None:
    pairs = {(peer, user) for room_id, user in read_set.writers if (peer := _peer(work, room_id, user))}
    pairs |= read_set.inviters
    if read_set.invited:
        await users.lock_users(db, read_set.invited)
        work.closed = await users.find_closed(db, read_set.invited)
        work.room_counts = await members.count_rooms(db, read_set.invited)
    if pairs:
        work.blocked = await users.find_blocked(db, pairs)


def _peer(work: UnitOfWork, room_id: str, user_id: str) -> str | None:
    room = work.rooms.get(room_id)
    return None if room is None else room.peer_of(user_id)
