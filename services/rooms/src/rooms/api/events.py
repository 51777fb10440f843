"""/api/rooms/{room_id}/events: the system messages of a room."""

from typing import Annotated

from fastapi import APIRouter, Query

from rooms.api.dependencies import Deps
from rooms.api.schemas import MAX_BODY_BYTES
from rooms.service.queries import system_messages
from shared.contracts.limits import MAX_INTEGER
from shared.events.rooms import SystemEvent
from shared.web.callers import Caller, PathId
from shared.web.cursors import Cursor
from shared.web.openapi import Page
from shared.web.routing import StructRoute
from shared.web.shedding import SHED_UNDER_LOAD

router = APIRouter(
    prefix="/api/rooms/{room_id}/events", tags=["events"], max_body_size=MAX_BODY_BYTES, route_class=StructRoute
)

After = Annotated[int, Query(ge=0, le=MAX_INTEGER, description="only above this version")]
Before = Annotated[int, Query(ge=1, le=MAX_INTEGER, description="only below this version")]


@router.get("", dependencies=[SHED_UNDER_LOAD])
async def list_events(
    deps: Deps,
    caller: Caller,
    room_id: PathId,
    after: After = 0,
    before: Before = MAX_INTEGER,
    cursor: Cursor = None,
) -> Page[SystemEvent]:
    """List system messages: joined, left, new roles, titles and pins. Ascending by version, since the caller joined.

    The joins with which the room was created are omitted. Events expire, after 30 days by default. A page may be empty
    and still have a `next`, because a call scans at most 5,000 versions.
    """
    return await system_messages.list_page(deps, room_id, caller.subject, after=after, before=before, cursor=cursor)
