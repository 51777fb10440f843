"""/api/rooms/{room_id}/members: members and their roles."""

import msgspec
from fastapi import APIRouter

from rooms.api.dependencies import Deps
from rooms.api.schemas import MAX_BODY_BYTES, Invitation, RoleChange
from rooms.service.pipeline.commands import execute_one
from shared.contracts.rooms import InviteMembers, LeaveRoom, RemoveMember, SetRole
from shared.ids import new_id
from shared.web.callers import Caller, PathId
from shared.web.routing import StructRoute

router = APIRouter(
    prefix="/api/rooms/{room_id}/members", tags=["members"], max_body_size=MAX_BODY_BYTES, route_class=StructRoute
)


class Version(msgspec.Struct):
    version: int


@router.post("")
async def invite(deps: Deps, caller: Caller, room_id: PathId, body: Invitation) -> Version:
    command = InviteMembers(command_id=new_id(), room_id=room_id, user_id=caller.subject, user_ids=body.user_ids)
    return Version((await execute_one(deps, command)).version)


@router.delete("/me", status_code=204)
async def leave(deps: Deps, caller: Caller, room_id: PathId) -> None:
    """Leave a group, or hide a direct room."""
    await execute_one(deps, LeaveRoom(command_id=new_id(), room_id=room_id, user_id=caller.subject))


@router.delete("/{user_id}", status_code=204)
async def remove(deps: Deps, caller: Caller, room_id: PathId, user_id: PathId) -> None:
    command = RemoveMember(command_id=new_id(), room_id=room_id, user_id=caller.subject, target_id=user_id)
    await execute_one(deps, command)


@router.patch("/{user_id}", status_code=204)
async def set_role(deps: Deps, caller: Caller, room_id: PathId, user_id: PathId, body: RoleChange) -> None:
    """Change the role of a member, as the owner. An owner who makes another member the owner becomes an admin."""
    command = SetRole(command_id=new_id(), room_id=room_id, user_id=caller.subject, target_id=user_id, role=body.role)
    await execute_one(deps, command)
