"""/internal: the routes for gateways and media. Replies to gateways contain the epoch. nginx does not forward them.

The paths `homes`, `home-page`, `enter` and `places` are older names, which gateways of the previous version call.
"""

import time
from collections.abc import Iterable

from fastapi import APIRouter, Request

from rooms.api.dependencies import Deps
from rooms.domain.errors import no_room
from rooms.service.pipeline import commands
from rooms.service.pipeline.auditing import audit_denials
from rooms.service.queries import events, memberships, reading, room_lists
from shared.contracts.limits import MAX_ATTACHMENTS, MAX_BATCH_BYTES, MAX_BATCH_COMMANDS, MAX_INTEGER, MAX_PAGE
from shared.contracts.rooms import (
    BatchResult,
    CommandBatch,
    Events,
    EventsRequest,
    MembershipCheck,
    MembershipCheckRequest,
    Memberships,
    MessagesRequest,
    Revisions,
    RoomListPage,
    RoomListPageRequest,
    RoomLists,
    RoomListsRequest,
    RoomSnapshot,
    RoomSnapshotRequest,
    SharedRoomsRequest,
    SharedWith,
    UserIdsRequest,
)
from shared.errors import Invalid
from shared.ids import is_id
from shared.web.callers import ServiceCaller, from_service
from shared.web.plain_routes import PlainRoute
from shared.web.routing import Body, read_body
from shared.web.shedding import SHED_UNDER_LOAD
from shared.web.state import get_dependencies

router = APIRouter(prefix="/internal", include_in_schema=False, route_class=PlainRoute)

MAX_USERS_PER_REQUEST = 1_000
MAX_ROOMS_PER_REQUEST = 2_000


@router.post("/commands")
async def execute(request: Request) -> BatchResult:
    received_at = time.monotonic()  # the budget begins before the body is read
    await from_service(request)
    batch = await read_body(request, CommandBatch, limit=MAX_BATCH_BYTES)
    if len(batch.commands) > MAX_BATCH_COMMANDS:
        raise Invalid(f"At most {MAX_BATCH_COMMANDS} commands.")
    deps = await get_dependencies(request)
    result = await commands.execute(deps, batch.commands, received_at + batch.budget_ms / 1000)
    audit_denials(batch.commands, result.results)
    return result


@router.post("/homes")
async def list_room_lists(deps: Deps, _: ServiceCaller, body: Body[RoomListsRequest]) -> RoomLists:
    _check_ids(body.users, MAX_USERS_PER_REQUEST)
    _check_ids([room_id for named in body.users.values() for room_id in named or ()], MAX_ROOMS_PER_REQUEST)
    return await room_lists.list_room_lists(deps, body.users)


@router.post("/home-page", dependencies=[SHED_UNDER_LOAD])
async def get_room_list_page(deps: Deps, _: ServiceCaller, body: Body[RoomListPageRequest]) -> RoomListPage:
    _check_ids([body.user_id], 1)
    if not 1 <= body.limit <= MAX_PAGE:
        raise Invalid(f"limit: 1 to {MAX_PAGE}.")
    return await room_lists.get_room_list_page(deps, body.user_id, body.before, body.limit)


@router.post("/messages", dependencies=[SHED_UNDER_LOAD])
async def get_messages(deps: Deps, _: ServiceCaller, body: Body[MessagesRequest]) -> reading.EncodedPage:
    _check_room(body.room_id, body.user_id)
    return await reading.get_page(deps, body.room_id, body.user_id, body.choice)


@router.post("/enter", dependencies=[SHED_UNDER_LOAD])
async def get_snapshot(deps: Deps, _: ServiceCaller, body: Body[RoomSnapshotRequest]) -> RoomSnapshot:
    _check_room(body.room_id, body.user_id)
    return await reading.get_snapshot(deps, body.room_id, body.user_id)


@router.post("/places")
async def list_memberships(deps: Deps, _: ServiceCaller, body: Body[UserIdsRequest]) -> Memberships:
    _check_ids(body.user_ids, MAX_USERS_PER_REQUEST)
    return await memberships.list_memberships(deps, body.user_ids)


@router.post("/revisions")
async def list_revisions(deps: Deps, _: ServiceCaller, body: Body[UserIdsRequest]) -> Revisions:
    _check_ids(body.user_ids, MAX_USERS_PER_REQUEST)
    return await memberships.list_revisions(deps, body.user_ids)


@router.post("/events")
async def list_events(deps: Deps, _: ServiceCaller, body: Body[EventsRequest]) -> Events:
    _check_ids(body.cursors, MAX_ROOMS_PER_REQUEST)
    if any(not 0 <= version <= MAX_INTEGER for version in body.cursors.values()):
        raise Invalid("cursors: integers from 0 to 2^53 - 1.")
    return await events.list_events(deps, body.cursors)


@router.post("/shared")
async def list_shared(deps: Deps, _: ServiceCaller, body: Body[SharedRoomsRequest]) -> SharedWith:
    _check_ids([body.user_id, *body.other_ids], MAX_USERS_PER_REQUEST + 1)
    return await memberships.list_shared(deps, body.user_id, body.other_ids)


@router.post("/membership")
async def check_membership(deps: Deps, _: ServiceCaller, body: Body[MembershipCheckRequest]) -> MembershipCheck:
    _check_room(body.room_id, body.user_id)
    _check_ids(body.attachment_ids, MAX_ATTACHMENTS)
    return await memberships.check_membership(deps, body.user_id, body.room_id, body.attachment_ids)


def _check_ids(ids: Iterable[str], most: int) -> None:
    ids = list(ids)
    if len(ids) > most or not all(map(is_id, ids)):
        raise Invalid(f"At most {most} ids.")


def _check_room(room_id: str, user_id: str) -> None:
    if not is_id(room_id) or not is_id(user_id):
        raise no_room()
