"""Handlers of events from social."""

from auth.service.accounts import rename
from auth.service.dependencies import Dependencies
from shared.events.social import ProfileRenamed


async def on_social(deps: Dependencies, event: ProfileRenamed) -> None:
    await rename(deps, event.user_id, event.display_name, event.version)
