"""/api/rooms/{room_id}/events: what happened in a room besides messages."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from rooms.api.bodies import MAX_BODY
from rooms.api.dependencies import Deps
from rooms.service import lines
from shared.contracts.rooms import MAX_INTEGER
from shared.events.rooms import SystemEvent
from shared.web.callers import Caller, PathId
from shared.web.cursors import Cursor
from shared.web.openapi import answers, reply
from shared.web.shedding import SHED_UNDER_LOAD

router = APIRouter(prefix="/api/rooms/{room_id}/events", tags=["events"], max_body_size=MAX_BODY)

After = Annotated[int, Query(ge=0, le=MAX_INTEGER, description="only above this version")]
Before = Annotated[int, Query(ge=1, le=MAX_INTEGER, description="only below this version")]


@router.get("", responses=answers(SystemEvent, page=True), dependencies=[SHED_UNDER_LOAD])
async def list_events(
    deps: Deps,
    caller: Caller,
    room_id: PathId,
    after: After = 0,
    before: Before = MAX_INTEGER,
    cursor: Cursor = None,
) -> Response:
    """Who came, went, was given a role; new titles and pins: ascending by version, from my joining on.

    The joinings with which the room began are left out, and so is what is older than events are kept (30 days where
    nothing else is set). A page may be empty and have a `next` all the same: a call looks at 5,000 versions at most.
    """
    page = await lines.list_lines(deps, room_id, caller.subject, after=after, before=before, cursor=cursor)
    return reply(page)
