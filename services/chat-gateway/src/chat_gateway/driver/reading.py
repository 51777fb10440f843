"""Pages and snapshots: the newest page from Redis where it can tell, everything else from rooms."""

import asyncio
import logging

from chat_gateway.driver.client import Client
from chat_gateway.driver.gateway import Gateway
from chat_gateway.protocol.frames import HomeList, MessageList, Ok, RoomEnter
from shared.contracts.rooms import MAX_INTEGER, Message, MessagesPage, PageChoice, ReadRoom, Rejected, Result
from shared.errors import Invalid, error_for_code
from shared.ids import new_id, parse_rfc3339
from shared.redis.client import REDIS_DOWN
from shared.roomlog.fold import Snapshot
from shared.roomlog.page import RECENT_MESSAGES, find_recent, keep_recent

log = logging.getLogger(__name__)


async def list_home(gateway: Gateway, client: Client, frame: HomeList) -> Ok:
    page, friends = await asyncio.gather(
        gateway.rooms.home_page(client.user_id, frame.before, frame.limit), gateway.friends.find(client.user_id)
    )
    profiles = friends.profiles if friends is not None else []
    return Ok(id=frame.id or "", friends=profiles, rooms=page.rooms, next=page.next)


async def enter_room(gateway: Gateway, client: Client, frame: RoomEnter) -> Ok:
    """Marks the room read first, so that the snapshot shows it."""
    if frame.mark_read:
        await _read_all(gateway, client, frame.room_id)
    entered = await gateway.rooms.enter(client.user_id, frame.room_id)
    gateway.adopt_epoch(entered.epoch)
    return Ok(id=frame.id or "", room=entered.room, messages=entered.messages, version=entered.version)


def find_recent_page(gateway: Gateway, client: Client, frame: MessageList) -> bytes | None:
    """The reply to one who asks for the newest page, where the same was answered at the room's version."""
    membership, version = client.memberships.get(frame.room_id), gateway.hub.version_of(frame.room_id)
    if not _is_newest(frame) or membership is None or version is None or not gateway.hub.reads(client, frame.room_id):
        return None
    return gateway.recent_pages.find((frame.room_id, membership.joined_seq, frame.limit), version, frame.id or "")


async def list_messages(gateway: Gateway, client: Client, frame: MessageList) -> Ok:
    choice = _choice_of(frame)
    page = None
    if newest := _is_newest(frame):
        page = await _newest(gateway, client, frame.room_id, frame.limit)
    if page is None:
        page = await gateway.rooms.messages(client.user_id, frame.room_id, choice)
    answer = Ok(id=frame.id or "", messages=page.messages, has_more=page.has_more, version=page.version)
    if newest and page.epoch == client.epoch and (membership := client.memberships.get(frame.room_id)) is not None:
        gateway.recent_pages.keep((frame.room_id, membership.joined_seq, frame.limit), page.version, answer)
    return answer


def _is_newest(frame: MessageList) -> bool:
    choices = (frame.before, frame.after, frame.around, frame.at, frame.offset)
    return frame.limit <= RECENT_MESSAGES and all(choice is None for choice in choices)


def _choice_of(frame: MessageList) -> PageChoice:
    try:
        at = None if frame.at is None else parse_rfc3339(frame.at)
    except (ValueError, OverflowError) as error:
        raise Invalid("at: expected an RFC 3339 time with its zone.") from error
    return PageChoice(
        before=frame.before, after=frame.after, around=frame.around, at=at, offset=frame.offset, limit=frame.limit
    )


async def _read_all(gateway: Gateway, client: Client, room_id: str) -> None:
    answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def done(result: Result) -> None:
        if not answer.done():
            answer.set_result(result)

    command = ReadRoom(command_id=new_id(), room_id=room_id, user_id=client.user_id, seq=MAX_INTEGER)
    gateway.lanes.submit(command, client.id, done)
    result = await answer
    if isinstance(result, Rejected):
        raise error_for_code(result.code, result.detail)


async def _newest(gateway: Gateway, client: Client, room_id: str, limit: int) -> MessagesPage | None:
    """The newest page out of Redis, filled from rooms where it was not there; None where rooms has to answer."""
    membership = client.memberships.get(room_id)
    if membership is None:
        return None
    try:
        snapshot = await find_recent(gateway.redis, client.epoch, room_id)
        if snapshot is None:
            return await _fill(gateway, client, room_id, limit)
    except REDIS_DOWN as error:
        log.info("no recent page of a room: %r", error)
        return None
    if snapshot.version > (gateway.hub.version_of(room_id) or 0):
        await gateway.subscriber.repair([room_id])
    if not gateway.hub.reads(client, room_id) or snapshot.version < (gateway.hub.version_of(room_id) or 0):
        return None
    return _page_of(snapshot, client.epoch, client.memberships[room_id].joined_seq, limit)


def _page_of(snapshot: Snapshot, epoch: str, joined_seq: int, limit: int) -> MessagesPage | None:
    """What a member who joined after `joined_seq` sees of a snapshot; None where the page would be cut short by it."""
    seen = sorted((message for message in snapshot.messages.values() if message.seq > joined_seq), key=_seq)
    whole = snapshot.from_seq <= joined_seq + 1
    if len(seen) < limit and not whole:
        return None
    newest = seen[-limit:]
    has_more = len(newest) < len(seen) or not whole
    return MessagesPage(epoch=epoch, messages=newest, has_more=has_more, version=snapshot.version)


def _seq(message: Message) -> int:
    return message.seq


async def _fill(gateway: Gateway, client: Client, room_id: str, limit: int) -> MessagesPage:
    page = await gateway.rooms.messages(client.user_id, room_id, PageChoice(limit=RECENT_MESSAGES))
    if page.messages:
        snapshot = Snapshot(page.version, page.messages[0].seq, {message.seq: message for message in page.messages})
        await keep_recent(gateway.redis, page.epoch, room_id, snapshot)
    cut = page.messages[-limit:]
    has_more = page.has_more or len(cut) < len(page.messages)
    return MessagesPage(epoch=page.epoch, messages=cut, has_more=has_more, version=page.version)
