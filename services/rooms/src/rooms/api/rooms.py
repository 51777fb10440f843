"""/api/rooms: create, list, search, change."""

from fastapi import APIRouter
from fastapi.responses import Response

from rooms.api.dependencies import Deps
from rooms.api.schemas import MAX_BODY_BYTES, Limit, NewRoom, RoomChange, RoomFilter, SearchText
from rooms.service import creation
from rooms.service.pipeline.commands import execute_one
from rooms.service.queries import reading, room_lists, searching
from shared.contracts.limits import MAX_PAGE
from shared.contracts.rooms import Message, MuteRoom, Room, RoomDetail, UpdateRoom
from shared.ids import new_id
from shared.web.callers import Caller, PathId
from shared.web.cursors import Cursor
from shared.web.openapi import Page
from shared.web.routing import StructRoute
from shared.web.shedding import SHED_UNDER_LOAD

router = APIRouter(prefix="/api/rooms", tags=["rooms"], max_body_size=MAX_BODY_BYTES, route_class=StructRoute)


@router.post("", status_code=201)
async def create_room(response: Response, deps: Deps, caller: Caller, body: NewRoom) -> Room:
    """Create a group, or open the direct room with a user. If that room exists, the status is 200.

    A person creates sixty rooms at once, and 120 in an hour.
    """
    user_id = caller.subject
    if body.kind == "direct":
        room_id, is_new = await creation.open_direct(deps, user_id, body.user_id)
    else:
        room_id, is_new = await creation.open_group(deps, user_id, body.title, body.user_ids), True
    response.status_code = 201 if is_new else 200
    return await reading.get_room(deps, room_id, user_id)


@router.get("", dependencies=[SHED_UNDER_LOAD])
async def list_rooms(deps: Deps, caller: Caller, cursor: Cursor = None, limit: Limit = MAX_PAGE) -> Page[Room]:
    """List the caller's rooms by latest activity, newest first."""
    page = await room_lists.get_room_list_page(deps, caller.subject, cursor, limit)
    return Page(page.rooms, page.next)


@router.get("/search", dependencies=[SHED_UNDER_LOAD])
async def search(
    deps: Deps, caller: Caller, q: SearchText, room_id: RoomFilter = None, cursor: Cursor = None
) -> Page[Message]:
    """Search the caller's rooms, or one of them, for messages that contain `q`. Newest first.

    The comparison ignores case, width and Unicode composition. `%` and `_` are ordinary characters. Hidden direct rooms
    are included. A page may be empty and still have a `next`, because a call scans at most 20,000 messages.
    """
    return await searching.search(deps, caller.subject, q, room_id, cursor)


@router.get("/{room_id}")
async def get_room(deps: Deps, caller: Caller, room_id: PathId) -> RoomDetail:
    """Return a room with its members."""
    return await reading.get_detail(deps, room_id, caller.subject)


@router.patch("/{room_id}")
async def change_room(deps: Deps, caller: Caller, room_id: PathId, body: RoomChange) -> Room:
    """Change the title or the pin for all members, or the caller's own mute setting."""
    user_id = caller.subject
    if changes := body.shared_changes():
        await execute_one(deps, UpdateRoom(command_id=new_id(), room_id=room_id, user_id=user_id, **changes))
    if "muted" in body.model_fields_set:
        mute = MuteRoom(command_id=new_id(), room_id=room_id, user_id=user_id, muted=body.muted)
        await execute_one(deps, mute)
    return await reading.get_room(deps, room_id, user_id)
