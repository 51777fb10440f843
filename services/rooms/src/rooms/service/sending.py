"""Messages sent by HTTP, through the same batches as those of the gateways."""

from typing import Any

from rooms.domain.errors import invalid
from rooms.domain.well_formed import MAX_ATTACHMENTS, canonical_id
from rooms.service.commands import execute_one
from rooms.service.dependencies import Dependencies
from rooms.service.reading import get_message
from rooms.storage.messages import find_sent
from shared.contracts.media import Attachment, Attachments, AttachmentsRequest
from shared.contracts.rooms import Message, SendMessage
from shared.ids import new_id


async def send(
    deps: Dependencies, room_id: str, user_id: str, *, client_id: str, attachment_ids: list[str], **content: Any
) -> tuple[Message, bool]:
    """The message as it is now, and whether it is new; raises DomainError. `content`: body, reply_to, mentions."""
    command = SendMessage(
        command_id=new_id(),
        room_id=room_id,
        user_id=user_id,
        client_id=client_id,
        attachments=await _resolve(deps, room_id, user_id, client_id, attachment_ids),
        **content,
    )
    done = await execute_one(deps, command)
    assert done.seq is not None
    return await get_message(deps, room_id, done.seq), not done.duplicate


async def _resolve(
    deps: Dependencies, room_id: str, user_id: str, client_id: str, attachment_ids: list[str]
) -> list[Attachment]:
    """What media knows of them; raises Problem. A repeat is compared by their ids alone: they may be gone since."""
    if len(attachment_ids) > MAX_ATTACHMENTS:
        raise invalid(f"attachment_ids: at most {MAX_ATTACHMENTS}.")
    if not attachment_ids:
        return []
    if await _was_sent(deps, room_id, user_id, client_id):
        ids = dict.fromkeys(attachment_ids)
        return [Attachment(attachment_id=one, filename="", content_type="", size=0, url="") for one in ids]
    asked = AttachmentsRequest(user_id=user_id, room_id=room_id, attachment_ids=attachment_ids)
    return (await deps.media.call("attachments", asked, Attachments)).attachments


async def _was_sent(deps: Dependencies, room_id: str, user_id: str, client_id: str) -> bool:
    key = (room_id, user_id, canonical_id("client_id", client_id))
    async with deps.database.read() as db:
        return key in await find_sent(db, [key])
