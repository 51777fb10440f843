"""/api/rooms: rooms."""

from fastapi import APIRouter
from fastapi.responses import Response

from rooms.api.bodies import MAX_BODY, Limit, NewRoom, RoomChange, RoomFilter, Typed
from rooms.api.dependencies import Deps
from rooms.service import creation, homes, reading, searching
from rooms.service.commands import execute_one
from shared.contracts.rooms import MAX_PAGE, Message, MuteRoom, Room, RoomDetail, UpdateRoom
from shared.ids import new_id
from shared.web.callers import Caller, PathId
from shared.web.cursors import Cursor
from shared.web.openapi import Page, answers, reply
from shared.web.shedding import SHED_UNDER_LOAD

router = APIRouter(prefix="/api/rooms", tags=["rooms"], max_body_size=MAX_BODY)


@router.post("", status_code=201, responses=answers(Room, 201))
async def create_room(deps: Deps, caller: Caller, body: NewRoom) -> Response:
    """Open a group, or the direct room of a pair: 200 with the one that exists."""
    user_id = caller.subject
    if body.kind == "direct":
        room_id, is_new = await creation.open_direct(deps, user_id, body.user_id)
    else:
        room_id, is_new = await creation.open_group(deps, user_id, body.title, body.user_ids), True
    return reply(await reading.get_room(deps, room_id, user_id), 201 if is_new else 200)


@router.get("", responses=answers(Room, page=True), dependencies=[SHED_UNDER_LOAD])
async def list_rooms(deps: Deps, caller: Caller, cursor: Cursor = None, limit: Limit = MAX_PAGE) -> Response:
    """My rooms, the newest activity first."""
    page = await homes.get_home_page(deps, caller.subject, cursor, limit)
    return reply(Page(page.rooms, page.next))


@router.get("/search", responses=answers(Message, page=True), dependencies=[SHED_UNDER_LOAD])
async def search(deps: Deps, caller: Caller, q: Typed, room_id: RoomFilter = None, cursor: Cursor = None) -> Response:
    """Messages whose text has `q` in it, newest first, in the rooms I am in or in one of them.

    Width, case and ways of composing do not matter; everything else does, `%` and `_` too. Hidden direct rooms are
    searched as well. A page may be empty and have a `next` all the same: a call looks at 20,000 messages at most.
    """
    return reply(await searching.search(deps, caller.subject, q, room_id, cursor))


@router.get("/{room_id}", responses=answers(RoomDetail))
async def get_room(deps: Deps, caller: Caller, room_id: PathId) -> Response:
    """A room with its members."""
    return reply(await reading.get_detail(deps, room_id, caller.subject))


@router.patch("/{room_id}", responses=answers(Room))
async def change_room(deps: Deps, caller: Caller, room_id: PathId, body: RoomChange) -> Response:
    """Change the title or the pin for everyone, the mute mark for oneself."""
    user_id = caller.subject
    if changes := body.of_room():
        await execute_one(deps, UpdateRoom(command_id=new_id(), room_id=room_id, user_id=user_id, **changes))
    if "muted" in body.model_fields_set:
        mute = MuteRoom(command_id=new_id(), room_id=room_id, user_id=user_id, muted=body.muted)
        await execute_one(deps, mute)
    return reply(await reading.get_room(deps, room_id, user_id))
