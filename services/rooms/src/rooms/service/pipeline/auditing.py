"""Writes the audit trail of rooms: memberships and roles that another user changed.

Users who join or leave by themselves are not audited.
"""

from collections import defaultdict
from collections.abc import Iterable

from shared.events.rooms import MEMBERSHIP, MemberJoined, MemberLeft, MemberRoleChanged, RoomEvent
from shared.logging.audit import audit


def audit_events(events: Iterable[RoomEvent]) -> None:
    """Audit events after their commit. An invitation of several users is one line."""
    invited: dict[tuple[str, str], list[str]] = defaultdict(list)
    for event in events:
        if not isinstance(event, MEMBERSHIP) or event.by == event.user_id:
            continue
        match event:
            case MemberJoined():
                invited[event.room_id, event.by].append(event.user_id)
            case MemberLeft():
                audit("member-remove", user_id=event.by, target_id=event.user_id, room_id=event.room_id)
            case MemberRoleChanged():
                audit(
                    "role-change",
                    user_id=event.by,
                    target_id=event.user_id,
                    room_id=event.room_id,
                    roles=[event.role],
                )
    for (room_id, by), user_ids in invited.items():
        target = user_ids[0] if len(user_ids) == 1 else ""
        audit("member-invite", user_id=by, target_id=target, room_id=room_id, count=len(user_ids))
