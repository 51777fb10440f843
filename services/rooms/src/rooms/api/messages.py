"""/api/rooms/{room_id}/messages: pages of messages, and sending for programs without a socket."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response

from rooms.api.dependencies import Deps
from rooms.api.schemas import MAX_BODY_BYTES, PageParameters
from rooms.service import sending
from rooms.service.queries import reading
from shared.contracts.rooms import Message, NewMessage
from shared.web.callers import Caller, PathId
from shared.web.openapi import accepts, answers, json_body, reply
from shared.web.shedding import SHED_UNDER_LOAD

router = APIRouter(prefix="/api/rooms/{room_id}/messages", tags=["messages"], max_body_size=MAX_BODY_BYTES)


class MessageList(msgspec.Struct):
    """Messages ascending by seq. `version` is the version of the room at the time of the read."""

    items: list[Message]
    has_more: bool
    version: int


@router.get("", responses=answers(MessageList), dependencies=[SHED_UNDER_LOAD])
async def list_messages(
    deps: Deps, caller: Caller, room_id: PathId, parameters: Annotated[PageParameters, Query()]
) -> Response:
    page = await reading.get_page(deps, room_id, caller.subject, parameters.choice())
    return reply(MessageList(page.messages, page.has_more, page.version))


@router.post("", status_code=201, responses=answers(Message, 201), openapi_extra=accepts(NewMessage))
async def send_message(
    deps: Deps,
    caller: Caller,
    room_id: PathId,
    body: Annotated[NewMessage, json_body(NewMessage, limit=MAX_BODY_BYTES)],
) -> Response:
    """Send a message. A duplicate `client_id` gets the first message, with status 200."""
    message, is_new = await sending.send(deps, room_id, caller.subject, body)
    return reply(message, 201 if is_new else 200)
