"""Routes for the other services, below /internal. They are not reachable through nginx."""

from fastapi import APIRouter, Request

from shared.contracts.social import FriendLists, FriendRevisions, FriendsRequest, Relationships, RelationshipsRequest
from shared.web.callers import ServiceCaller, from_service
from shared.web.routing import Body, StructRoute, add_plain_route, read_body
from shared.web.state import get_dependencies
from social.api.dependencies import Deps
from social.service import internal_api

router = APIRouter(prefix="/internal", include_in_schema=False, route_class=StructRoute)


async def list_friends(request: Request) -> FriendLists:
    await from_service(request)
    body = await read_body(request, FriendsRequest)
    return await internal_api.list_friends(await get_dependencies(request), body.user_ids)


async def list_revisions(request: Request) -> FriendRevisions:
    await from_service(request)
    body = await read_body(request, FriendsRequest)
    return await internal_api.list_revisions(await get_dependencies(request), body.user_ids)


add_plain_route(router, "/internal/friends", list_friends)
add_plain_route(router, "/internal/revisions", list_revisions)


@router.post("/pairs")
async def get_relationships(deps: Deps, _: ServiceCaller, body: Body[RelationshipsRequest]) -> Relationships:
    return await internal_api.get_relationships(deps, body.user_id, body.other_ids)
