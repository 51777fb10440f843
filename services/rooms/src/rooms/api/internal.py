"""/internal: the routes for gateways and media. Replies to gateways contain the epoch. nginx does not forward them.

The paths `homes`, `home-page`, `enter` and `places` are older names, which gateways of the previous version call.
"""

import time
from collections.abc import Iterable

from fastapi import APIRouter, Request
from fastapi.responses import Response

from rooms.api.dependencies import Deps
from rooms.domain.errors import no_room
from rooms.service.pipeline import commands
from rooms.service.queries import events, memberships, reading, room_lists
from shared.contracts.limits import MAX_ATTACHMENTS, MAX_BATCH_BYTES, MAX_BATCH_COMMANDS, MAX_INTEGER, MAX_PAGE
from shared.contracts.rooms import (
    CommandBatch,
    EventsRequest,
    MembershipCheckRequest,
    MessagesRequest,
    RoomListPageRequest,
    RoomListsRequest,
    RoomSnapshotRequest,
    SharedRoomsRequest,
    UserIdsRequest,
)
from shared.errors import Invalid
from shared.ids import is_id
from shared.web.callers import ServiceCaller
from shared.web.openapi import read_body, reply
from shared.web.shedding import SHED_UNDER_LOAD

router = APIRouter(prefix="/internal", include_in_schema=False)

MAX_USERS_PER_REQUEST = 1_000
MAX_ROOMS_PER_REQUEST = 2_000


@router.post("/commands")
async def execute(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    received_at = time.monotonic()
    batch = await read_body(request, CommandBatch, limit=MAX_BATCH_BYTES)
    if len(batch.commands) > MAX_BATCH_COMMANDS:
        raise Invalid(f"At most {MAX_BATCH_COMMANDS} commands.")
    return reply(await commands.execute(deps, batch.commands, received_at + batch.budget_ms / 1000))


@router.post("/homes")
async def list_room_lists(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, RoomListsRequest)
    _check_ids(body.users, MAX_USERS_PER_REQUEST)
    _check_ids([room_id for named in body.users.values() for room_id in named or ()], MAX_ROOMS_PER_REQUEST)
    return reply(await room_lists.list_room_lists(deps, body.users))


@router.post("/home-page", dependencies=[SHED_UNDER_LOAD])
async def get_room_list_page(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, RoomListPageRequest)
    _check_ids([body.user_id], 1)
    if not 1 <= body.limit <= MAX_PAGE:
        raise Invalid(f"limit: 1 to {MAX_PAGE}.")
    return reply(await room_lists.get_room_list_page(deps, body.user_id, body.before, body.limit))


@router.post("/messages", dependencies=[SHED_UNDER_LOAD])
async def get_messages(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, MessagesRequest)
    _check_room(body.room_id, body.user_id)
    return reply(await reading.get_page(deps, body.room_id, body.user_id, body.choice))


@router.post("/enter", dependencies=[SHED_UNDER_LOAD])
async def get_snapshot(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, RoomSnapshotRequest)
    _check_room(body.room_id, body.user_id)
    return reply(await reading.get_snapshot(deps, body.room_id, body.user_id))


@router.post("/places")
async def list_memberships(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, UserIdsRequest)
    _check_ids(body.user_ids, MAX_USERS_PER_REQUEST)
    return reply(await memberships.list_memberships(deps, body.user_ids))


@router.post("/revisions")
async def list_revisions(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, UserIdsRequest)
    _check_ids(body.user_ids, MAX_USERS_PER_REQUEST)
    return reply(await memberships.list_revisions(deps, body.user_ids))


@router.post("/events")
async def list_events(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, EventsRequest)
    _check_ids(body.cursors, MAX_ROOMS_PER_REQUEST)
    if any(not 0 <= version <= MAX_INTEGER for version in body.cursors.values()):
        raise Invalid("cursors: integers from 0 to 2^53 - 1.")
    return reply(await events.list_events(deps, body.cursors))


@router.post("/shared")
async def list_shared(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, SharedRoomsRequest)
    _check_ids([body.user_id, *body.other_ids], MAX_USERS_PER_REQUEST + 1)
    return reply(await memberships.list_shared(deps, body.user_id, body.other_ids))


@router.post("/membership")
async def check_membership(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, MembershipCheckRequest)
    _check_room(body.room_id, body.user_id)
    _check_ids(body.attachment_ids, MAX_ATTACHMENTS)
    return reply(await memberships.check_membership(deps, body.user_id, body.room_id, body.attachment_ids))


def _check_ids(ids: Iterable[str], most: int) -> None:
    ids = list(ids)
    if len(ids) > most or not all(map(is_id, ids)):
        raise Invalid(f"At most {most} ids.")


def _check_room(room_id: str, user_id: str) -> None:
    if not is_id(room_id) or not is_id(user_id):
        raise no_room()
