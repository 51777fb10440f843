"""Requests of the other services: attachments of a message, the avatar of a profile."""

from media.domain.attachments import attachment_of
from media.service.dependencies import Dependencies
from media.storage.attachments import find_avatar, list_own
from shared.contracts.limits import MAX_ATTACHMENTS
from shared.contracts.media import Attachments, Avatar
from shared.errors import Invalid, NotFound
from shared.ids import is_id


async def resolve(deps: Dependencies, user_id: str, room_id: str, attachment_ids: list[str]) -> Attachments:
    """Return the user's own uploads in this room, in the order of the ids, each once.

    Raises NotFound if an id is not one of these. Unreferenced attachments are included: a retry of a message that had
    them must get the same answer. Rooms rejects new messages with them.
    """
    wanted = list(dict.fromkeys(attachment_ids))
    if len(wanted) > MAX_ATTACHMENTS:
        raise Invalid("There are too many ids.", errors={"attachment_ids": f"at most {MAX_ATTACHMENTS}"})
    if not all(map(is_id, [user_id, room_id, *wanted])):
        raise _not_found()
    async with deps.database.read() as db:
        found = {one.id: one for one in await list_own(db, user_id, room_id, wanted)}
    if len(found) < len(wanted):
        raise _not_found()
    return Attachments([attachment_of(found[one]) for one in wanted])


async def check_avatar(deps: Dependencies, user_id: str, attachment_id: str) -> Avatar:
    """Raises NotFound unless this is an avatar that the user uploaded."""
    if not is_id(user_id) or not is_id(attachment_id):
        raise _not_found()
    async with deps.database.read() as db:
        if await find_avatar(db, user_id, attachment_id) is None:
            raise _not_found()
    return Avatar(attachment_id)


def _not_found() -> NotFound:
    return NotFound("There is no such attachment.")
