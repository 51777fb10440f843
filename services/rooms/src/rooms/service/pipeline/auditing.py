"""Writes the audit trail of rooms: memberships and roles that another user changed, and denied commands.

Users who join or leave by themselves are not audited.
"""

from collections import defaultdict
from collections.abc import Iterable

from shared.contracts.rooms import AnyCommand, Rejected, Result
from shared.errors import ErrorCode
from shared.events.rooms import MEMBERSHIP, MemberJoined, MemberLeft, MemberRoleChanged, RoomEvent
from shared.logging.audit import audit

_DENIED = frozenset({ErrorCode.FORBIDDEN, ErrorCode.MEMBER_REMOVED})


def audit_denials(commands: Iterable[AnyCommand], results: Iterable[Result]) -> None:
    """Audit commands of gateways that their users may not give. Those over HTTP are audited with their answer."""
    for command, result in zip(commands, results, strict=True):
        if isinstance(result, Rejected) and result.code in _DENIED:
            audit(
                "access-deny",
                outcome="failure",
                user_id=command.user_id,
                room_id=command.room_id,
                reason=result.detail,
            )


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
