"""What media does with the facts of auth and rooms. Handled twice or late, an event changes nothing."""

from media.service.deleting import close_user, release
from media.service.parts import Parts
from shared.events.auth import AuthEvent, UserClosed
from shared.events.rooms import AttachmentsReleased


async def on_auth(parts: Parts, event: AuthEvent) -> None:
    if isinstance(event, UserClosed):
        await close_user(parts, event.user_id, event.at)


async def on_rooms(parts: Parts, event: AttachmentsReleased) -> None:
    await release(parts, event.room_id, event.attachment_ids)
