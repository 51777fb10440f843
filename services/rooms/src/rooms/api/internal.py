"""/internal: what rooms answers to the gateways (with the epoch) and to media. Not reachable through nginx."""

import time
from collections.abc import Iterable

from fastapi import APIRouter, Request
from fastapi.responses import Response

from rooms.api.dependencies import Deps
from rooms.domain.errors import no_room
from rooms.domain.well_formed import MAX_ATTACHMENTS
from rooms.service import commands, events, homes, reading
from shared.contracts.rooms import (
    MAX_INTEGER,
    MAX_PAGE,
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

MAX_COMMANDS = 256
MAX_BATCH_BYTES = 600 * 1024
"""Bounds the ids in one statement as well: SQLite takes 32,766 values."""
MAX_USERS = 1_000
MAX_ROOMS = 2_000


@router.post("/commands")
async def execute(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    arrived = time.monotonic()
    batch = await read_body(request, CommandBatch, limit=MAX_BATCH_BYTES)
    if len(batch.commands) > MAX_COMMANDS:
        raise Invalid(f"At most {MAX_COMMANDS} commands.")
    return reply(await commands.execute(deps, batch.commands, arrived + batch.budget_ms / 1000))


@router.post("/homes")
async def list_homes(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, RoomListsRequest)
    _check_ids(asked.users, MAX_USERS)
    _check_ids([room_id for named in asked.users.values() for room_id in named or ()], MAX_ROOMS)
    return reply(await homes.list_homes(deps, asked.users))


@router.post("/home-page", dependencies=[SHED_UNDER_LOAD])
async def get_home_page(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, RoomListPageRequest)
    _check_ids([asked.user_id], 1)
    if not 1 <= asked.limit <= MAX_PAGE:
        raise Invalid(f"limit: 1 to {MAX_PAGE}.")
    return reply(await homes.get_home_page(deps, asked.user_id, asked.before, asked.limit))


@router.post("/messages", dependencies=[SHED_UNDER_LOAD])
async def get_messages(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, MessagesRequest)
    _check_room(asked.room_id, asked.user_id)
    return reply(await reading.get_page(deps, asked.room_id, asked.user_id, asked.choice))


@router.post("/enter", dependencies=[SHED_UNDER_LOAD])
async def enter(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, RoomSnapshotRequest)
    _check_room(asked.room_id, asked.user_id)
    return reply(await reading.enter(deps, asked.room_id, asked.user_id))


@router.post("/places")
async def list_memberships(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, UserIdsRequest)
    _check_ids(asked.user_ids, MAX_USERS)
    return reply(await homes.list_memberships(deps, asked.user_ids))


@router.post("/revisions")
async def list_revisions(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, UserIdsRequest)
    _check_ids(asked.user_ids, MAX_USERS)
    return reply(await homes.list_revisions(deps, asked.user_ids))


@router.post("/events")
async def list_events(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, EventsRequest)
    _check_ids(asked.cursors, MAX_ROOMS)
    if any(not 0 <= version <= MAX_INTEGER for version in asked.cursors.values()):
        raise Invalid("cursors: integers from 0 to 2^53 - 1.")
    return reply(await events.list_events(deps, asked.cursors))


@router.post("/shared")
async def list_shared(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, SharedRoomsRequest)
    _check_ids([asked.user_id, *asked.other_ids], MAX_USERS + 1)
    return reply(await homes.list_shared(deps, asked.user_id, asked.other_ids))


@router.post("/membership")
async def get_membership(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, MembershipCheckRequest)
    _check_room(asked.room_id, asked.user_id)
    _check_ids(asked.attachment_ids, MAX_ATTACHMENTS)
    return reply(await homes.get_membership(deps, asked.user_id, asked.room_id, asked.attachment_ids))


def _check_ids(ids: Iterable[str], most: int) -> None:
    ids = list(ids)
    if len(ids) > most or not all(map(is_id, ids)):
        raise Invalid(f"At most {most} ids.")


def _check_room(room_id: str, user_id: str) -> None:
    if not is_id(room_id) or not is_id(user_id):
        raise no_room()
