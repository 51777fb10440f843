"""Handlers of events from auth and rooms. They are idempotent."""

from media.service.deletions import close_user, release
from media.service.dependencies import Dependencies
from shared.events.auth import AuthEvent, UserClosed
from shared.events.rooms import AttachmentsReleased


async def on_auth(deps: Dependencies, event: AuthEvent) -> None:
    if isinstance(event, UserClosed):
        await close_user(deps, event.user_id, event.at)


async def on_rooms(deps: Dependencies, event: AttachmentsReleased) -> None:
    await release(deps, event.room_id, event.attachment_ids)
