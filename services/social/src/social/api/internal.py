"""Routes for the other services, below /internal. They are not reachable through nginx."""

from fastapi import APIRouter

from shared.contracts.social import FriendLists, FriendRevisions, FriendsRequest, Relationships, RelationshipsRequest
from shared.web.callers import ServiceCaller
from shared.web.plain_routes import PlainRoute
from shared.web.routing import Body
from social.api.dependencies import Deps
from social.service import internal_api

router = APIRouter(prefix="/internal", include_in_schema=False, route_class=PlainRoute)


@router.post("/friends")
async def list_friends(deps: Deps, _: ServiceCaller, body: Body[FriendsRequest]) -> FriendLists:
    return await internal_api.list_friends(deps, body.user_ids)


@router.post("/revisions")
async def list_revisions(deps: Deps, _: ServiceCaller, body: Body[FriendsRequest]) -> FriendRevisions:
    return await internal_api.list_revisions(deps, body.user_ids)


@router.post("/pairs")
async def get_relationships(deps: Deps, _: ServiceCaller, body: Body[RelationshipsRequest]) -> Relationships:
    return await internal_api.get_relationships(deps, body.user_id, body.other_ids)
