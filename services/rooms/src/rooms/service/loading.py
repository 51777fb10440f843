"""Reads what a batch needs into the working state: one statement for each kind of row, however many commands there are.

The rooms are locked first; what is read after that, the epoch too, is what the batch before left.
"""

from collections.abc import Collection

from rooms.domain.needs import Needs, needs_of
from rooms.domain.state import MemberKey, attachments_of
from rooms.domain.work import Work
from rooms.storage import attachments, members, messages, people, reactions, room_events, rooms
from shared.contracts.rooms import AnyCommand
from shared.database.engine import Db
from shared.ids import now_ms


async def load(db: Db, commands: list[AnyCommand], known: Collection[str] | None) -> tuple[Work, str | None]:
    """The working state, and the epoch under which it may be published (None: nobody is in these rooms)."""
    needs = needs_of(commands)
    work = Work(now=0, known=known)
    await _load_rooms(db, needs, work)
    work.now = now_ms()
    if not work.rooms:
        return work, None
    epoch = await _load_members(db, needs, work)
    await _load_repeats(db, needs, work)
    await _load_messages(db, needs, work)
    await _load_people(db, needs, work)
    return work, epoch


async def _load_rooms(db: Db, needs: Needs, work: Work) -> None:
    if needs.locked_rooms:
        work.rooms = await rooms.lock_rooms(db, needs.locked_rooms)
    if needs.read_rooms:
        work.rooms |= await rooms.read_rooms(db, needs.read_rooms)


async def _load_members(db: Db, needs: Needs, work: Work) -> str | None:
    keys = {key for key in needs.members if key[0] in work.rooms}
    keys.update((room.id, user) for room in work.rooms.values() for user in room.pair)
    work.members, epoch = await members.find_members(db, keys)
    if losing := _rooms_losing_owner(needs, work):
        work.members = await members.members_of_rooms(db, losing) | work.members
    return epoch


def _rooms_losing_owner(needs: Needs, work: Work) -> set[str]:
    """Rooms in which somebody may have to follow the owner: everyone there is looked at."""

    def may_own(key: MemberKey) -> bool:
        member = work.members.get(key)
        return key[0] in needs.new_owners or (member is not None and member.role == "owner")

    return {key[0] for key in needs.leavers if may_own(key)}


async def _load_repeats(db: Db, needs: Needs, work: Work) -> None:
    if sends := [key for key in needs.sends if key[0] in work.rooms]:
        work.sent = await messages.find_sent(db, sends)
    if commands := [key for key in needs.commands if key[0] in work.rooms]:
        work.answered = await room_events.find_answered(db, commands)


async def _load_messages(db: Db, needs: Needs, work: Work) -> None:
    if named := [key for key in needs.messages if key[0] in work.rooms]:
        work.messages = await messages.find_messages(db, named)
    deleted = [message for key, message in work.messages.items() if key in needs.deletions]
    used = {(message.room_id, one.attachment_id) for message in deleted for one in attachments_of(message)}
    used.update(key for key in needs.attachments if key[0] in work.rooms)
    if used:
        work.uses = await attachments.count_uses(db, used)
    counted = {key for key, message in work.messages.items() if message.reaction_count}
    if reacted := [key for key in needs.reactions if key[:2] in counted]:
        work.reactions = await reactions.find_reactions(db, reacted)
        work.emoji = await reactions.count_kinds(db, {key[:2] for key in reacted})


async def _load_people(db: Db, needs: Needs, work: Work) -> None:
    pairs = {(peer, user) for room_id, user in needs.writers if (peer := _peer(work, room_id, user))} | needs.inviters
    if needs.invited:
        await people.lock_people(db, needs.invited)
        work.closed = await people.find_closed(db, needs.invited)
        work.room_counts = await members.count_rooms(db, needs.invited)
    if pairs:
        work.blocked = await people.find_blocked(db, pairs)


def _peer(work: Work, room_id: str, user_id: str) -> str | None:
    room = work.rooms.get(room_id)
    return None if room is None else room.peer_of(user_id)
