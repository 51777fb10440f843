"""/api/rooms/{room_id}/messages: pages of messages, and sending for programs without a socket."""

from typing import Annotated, cast

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response

from rooms.api.dependencies import Deps
from rooms.api.schemas import MAX_BODY_BYTES, PageParameters
from rooms.service import sending
from rooms.service.queries import reading
from shared.contracts.rooms import Message, NewMessage
from shared.web.callers import Caller, PathId
from shared.web.plain_routes import PlainRoute
from shared.web.routing import JsonBody, StructRoute
from shared.web.shedding import SHED_UNDER_LOAD

PREFIX = "/api/rooms/{room_id}/messages"
pages = APIRouter(prefix=PREFIX, tags=["messages"], route_class=PlainRoute)
router = APIRouter(prefix=PREFIX, tags=["messages"], max_body_size=MAX_BODY_BYTES, route_class=StructRoute)


class MessageList(msgspec.Struct):
    """Messages ascending by seq. `version` is the version of the room at the time of the read."""

    items: list[Message]
    has_more: bool
    version: int


@pages.get("", dependencies=[SHED_UNDER_LOAD])
async def list_messages(
    deps: Deps, caller: Caller, room_id: PathId, parameters: Annotated[PageParameters, Query()]
) -> MessageList:
    page = await reading.get_page(deps, room_id, caller.subject, parameters.choice())
    return MessageList(cast("list[Message]", page.messages), page.has_more, page.version)  # they are encoded


@router.post("", status_code=201)
async def send_message(
    response: Response,
    deps: Deps,
    caller: Caller,
    room_id: PathId,
    body: Annotated[NewMessage, JsonBody(strict=False)],
) -> Message:
    """Send a message. A duplicate `client_id` gets the first message, with status 200."""
    message, is_new = await sending.send(deps, room_id, caller.subject, body)
    response.status_code = 201 if is_new else 200
    return message
