"""Sends messages over HTTP, through the same pipeline as the commands of the gateways."""

from rooms.domain.errors import invalid
from rooms.domain.validation import canonical_id
from rooms.service.dependencies import Dependencies
from rooms.service.pipeline.commands import execute_one
from rooms.service.queries.reading import get_message
from rooms.storage.messages import find_sent
from shared.contracts.limits import MAX_ATTACHMENTS
from shared.contracts.media import Attachment, Attachments, AttachmentsRequest
from shared.contracts.rooms import Message, NewMessage, SendMessage
from shared.ids import new_id


async def send(deps: Dependencies, room_id: str, user_id: str, message: NewMessage) -> tuple[Message, bool]:
    """Return the current state of the message, and whether it is new. Raises DomainError."""
    attachments = await _get_attachments(deps, room_id, user_id, message.client_id, message.attachment_ids)
    command = SendMessage(
        command_id=new_id(), room_id=room_id, user_id=user_id, attachments=attachments, **message.content()
    )
    result = await execute_one(deps, command)
    assert result.seq is not None
    return await get_message(deps, room_id, result.seq), not result.duplicate


async def _get_attachments(
    deps: Dependencies, room_id: str, user_id: str, client_id: str, attachment_ids: list[str]
) -> list[Attachment]:
    """Get the metadata of attachments from media. Raises DomainError.

    For a duplicate only the ids are compared, because media may have deleted the attachments meanwhile.
    """
    if len(attachment_ids) > MAX_ATTACHMENTS:
        raise invalid(f"attachment_ids: at most {MAX_ATTACHMENTS}.")
    if not attachment_ids:
        return []
    if await _was_sent(deps, room_id, user_id, client_id):
        ids = dict.fromkeys(attachment_ids)
        return [Attachment(attachment_id=one, filename="", content_type="", size=0, url="") for one in ids]
    request = AttachmentsRequest(user_id=user_id, room_id=room_id, attachment_ids=attachment_ids)
    return (await deps.media.call("attachments", request, Attachments)).attachments


async def _was_sent(deps: Dependencies, room_id: str, user_id: str, client_id: str) -> bool:
    key = (room_id, user_id, canonical_id("client_id", client_id))
    async with deps.database.read() as db:
        return key in await find_sent(db, [key])
