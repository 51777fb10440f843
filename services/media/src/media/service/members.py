"""Membership checks, which ask rooms each time."""

from media.service.dependencies import Dependencies
from shared.contracts.rooms import MembershipCheck, MembershipCheckRequest
from shared.errors import NotFound
from shared.ids import is_id


async def check_member(deps: Dependencies, room_id: str, user_id: str, attachment_ids: list[str]) -> list[str]:
    """Return those of the attachments that are unreferenced: the last message with them was deleted.

    Raises NotFound if the user is not a member, or there is no such room; Unavailable if rooms does not answer.
    """
    if not is_id(room_id):
        raise NotFound("There is no such room.")
    request = MembershipCheckRequest(user_id=user_id, room_id=room_id, attachment_ids=attachment_ids)
    membership = await deps.rooms.call("membership", request, MembershipCheck)
    if not membership.is_in:
        raise NotFound("There is no such room.")
    return membership.released


async def is_member(deps: Dependencies, room_id: str, user_id: str) -> bool:
    request = MembershipCheckRequest(user_id=user_id, room_id=room_id)
    return (await deps.rooms.call("membership", request, MembershipCheck)).is_in
