"""Who is in a room: rooms knows, and is asked each time."""

from media.service.dependencies import Dependencies
from shared.contracts.rooms import MembershipCheck, MembershipCheckRequest
from shared.errors import NotFound
from shared.ids import is_id


async def check_member(deps: Dependencies, room_id: str, user_id: str, attachment_ids: list[str]) -> list[str]:
    """Those of the attachments that the room has let go.

    Raises NotFound, alike where there is no room and for outsiders; Unavailable where rooms does not answer.
    """
    if not is_id(room_id):
        raise NotFound("There is no such room.")
    asked = MembershipCheckRequest(user_id=user_id, room_id=room_id, attachment_ids=attachment_ids)
    membership = await deps.rooms.call("membership", asked, MembershipCheck)
    if not membership.is_in:
        raise NotFound("There is no such room.")
    return membership.released


async def is_member(deps: Dependencies, room_id: str, user_id: str) -> bool:
    asked = MembershipCheckRequest(user_id=user_id, room_id=room_id)
    return (await deps.rooms.call("membership", asked, MembershipCheck)).is_in
