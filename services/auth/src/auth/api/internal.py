"""Routes for the other services, below /internal. They are not reachable through nginx."""

from fastapi import APIRouter, Request

from auth.api.dependencies import Deps
from auth.service import internal_api
from shared.contracts.auth import (
    Accounts,
    ActiveSessions,
    ServiceToken,
    ServiceTokenRequest,
    SessionCheck,
    SigningKeys,
    UsersRequest,
)
from shared.web.callers import ServiceCaller, from_service
from shared.web.routing import Body, StructRoute, add_plain_route, read_body
from shared.web.state import get_dependencies

router = APIRouter(prefix="/internal", include_in_schema=False, route_class=StructRoute)


@router.post("/keys")
@router.get("/jwks")
async def list_keys(deps: Deps) -> SigningKeys:
    """Return the public keys that verify tokens."""
    return SigningKeys(deps.keys.public_keys)


@router.post("/token")
async def issue_token(deps: Deps, body: Body[ServiceTokenRequest]) -> ServiceToken:
    return internal_api.issue_token(deps, body)


async def check_sessions(request: Request) -> ActiveSessions:
    await from_service(request)
    body = await read_body(request, SessionCheck)
    return await internal_api.check_sessions(await get_dependencies(request), body.session_ids)


add_plain_route(router, "/internal/sessions", check_sessions)


@router.post("/accounts")
async def list_accounts(deps: Deps, _: ServiceCaller, body: Body[UsersRequest]) -> Accounts:
    return await internal_api.list_accounts(deps, body.user_ids)
