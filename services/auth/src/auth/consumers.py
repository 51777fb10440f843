"""What auth does with the facts of social."""

from auth.service.accounts import rename
from auth.service.parts import Parts
from shared.events.social import ProfileRenamed


async def on_social(parts: Parts, event: ProfileRenamed) -> None:
    await rename(parts, event.user_id, event.display_name, event.version)
