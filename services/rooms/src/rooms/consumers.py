"""What rooms does with the facts of auth and social. Handled twice or late, an event changes nothing."""

from rooms.service.closing import close_user, set_blocked
from rooms.service.parts import Parts
from shared.events.auth import AuthEvent, UserClosed
from shared.events.social import SocialEvent, UserBlocked


async def on_auth(parts: Parts, event: AuthEvent) -> None:
    if isinstance(event, UserClosed):
        await close_user(parts, event.user_id, event.at)


async def on_social(parts: Parts, event: SocialEvent) -> None:
    blocked = isinstance(event, UserBlocked)
    await set_blocked(parts, event.user_id, event.blocked_id, event.version, blocked=blocked)
