"""Handlers of events from auth and social. They are idempotent, and ignore outdated events."""

from rooms.service.dependencies import Dependencies
from rooms.service.users import close_user, set_blocked
from shared.events.auth import AuthEvent, UserClosed
from shared.events.social import SocialEvent, UserBlocked


async def on_auth(deps: Dependencies, event: AuthEvent) -> None:
    if isinstance(event, UserClosed):
        await close_user(deps, event.user_id, event.at)


async def on_social(deps: Dependencies, event: SocialEvent) -> None:
    blocked = isinstance(event, UserBlocked)
    await set_blocked(deps, event.user_id, event.blocked_id, event.version, blocked=blocked)
