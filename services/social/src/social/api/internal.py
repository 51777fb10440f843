"""Routes for the other services, below /internal. They are not reachable through nginx."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from shared.contracts.social import FriendsRequest, RelationshipsRequest
from shared.web.callers import ServiceCaller
from shared.web.openapi import read_body, reply
from social.api.dependencies import Deps
from social.service import internal_api

router = APIRouter(prefix="/internal", include_in_schema=False)


@router.post("/friends")
async def list_friends(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, FriendsRequest)
    return reply(await internal_api.list_friends(deps, body.user_ids))


@router.post("/revisions")
async def list_revisions(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, FriendsRequest)
    return reply(await internal_api.list_revisions(deps, body.user_ids))


@router.post("/pairs")
async def get_relationships(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, RelationshipsRequest)
    return reply(await internal_api.get_relationships(deps, body.user_id, body.other_ids))
