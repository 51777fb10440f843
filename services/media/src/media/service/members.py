"""Who is in a room: rooms knows, and is asked each time."""

from media.service.parts import Parts
from shared.contracts.rooms import Membership, MembershipRequest
from shared.service.ids import is_id
from shared.service.problems import NotFound


async def check_member(parts: Parts, room_id: str, user_id: str) -> None:
    """Raises NotFound, alike where there is no room and for outsiders; Unavailable where rooms does not answer."""
    if not is_id(room_id) or not await is_member(parts, room_id, user_id):
        raise NotFound("There is no such room.")


async def is_member(parts: Parts, room_id: str, user_id: str) -> bool:
    asked = MembershipRequest(user_id=user_id, room_id=room_id)
    return (await parts.rooms.call("membership", asked, Membership)).is_in
