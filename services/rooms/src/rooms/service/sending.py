"""Messages sent by HTTP, through the same batches as those of the gateways."""

from typing import Any

from rooms.domain.refusals import invalid
from rooms.service.commands import execute_one
from rooms.service.parts import Parts
from rooms.service.reading import get_message
from shared.contracts.media import Attachment
from shared.contracts.rooms import Message, SendMessage
from shared.service.ids import new_id


async def send(
    parts: Parts, room_id: str, user_id: str, *, client_id: str, attachment_ids: list[str], **content: Any
) -> tuple[Message, bool]:
    """The message as it is now, and whether it is new; raises Refusal. `content`: body, reply_to, mentions."""
    command = SendMessage(
        command_id=new_id(),
        room_id=room_id,
        user_id=user_id,
        client_id=client_id,
        attachments=_resolve(attachment_ids),
        **content,
    )
    done = await execute_one(parts, command)
    assert done.seq is not None
    return await get_message(parts, room_id, done.seq), not done.duplicate


def _resolve(attachment_ids: list[str]) -> list[Attachment]:
    if attachment_ids:
        raise invalid("attachment_ids: attachments are not available yet.")
    return []
