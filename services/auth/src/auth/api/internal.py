"""Routes for the other services, below /internal. They are not reachable through nginx."""

from fastapi import APIRouter

from auth.api.dependencies import Deps
from auth.service import internal_api
from shared.contracts.auth import (
    Accounts,
    ActiveSessions,
    Revocations,
    RevocationsRequest,
    ServiceToken,
    ServiceTokenRequest,
    SessionCheck,
    SigningKeys,
    UsersRequest,
)
from shared.web.callers import ServiceCaller
from shared.web.plain_routes import PlainRoute
from shared.web.routing import Body

router = APIRouter(prefix="/internal", include_in_schema=False, route_class=PlainRoute)


@router.post("/keys")
@router.get("/jwks")
async def list_keys(deps: Deps) -> SigningKeys:
    """Return the public keys that verify tokens."""
    return SigningKeys(deps.keys.public_keys)


@router.post("/token")
async def issue_token(deps: Deps, body: Body[ServiceTokenRequest]) -> ServiceToken:
    return internal_api.issue_token(deps, body)


@router.post("/sessions")
async def check_sessions(deps: Deps, _: ServiceCaller, body: Body[SessionCheck]) -> ActiveSessions:
    return await internal_api.check_sessions(deps, body.session_ids)


@router.post("/revocations")
async def list_revocations(deps: Deps, _: ServiceCaller, body: Body[RevocationsRequest]) -> Revocations:
    """Return which sessions were revoked. Gateways ask twice a second."""
    return await internal_api.list_revocations(deps, body.since)


@router.post("/accounts")
async def list_accounts(deps: Deps, _: ServiceCaller, body: Body[UsersRequest]) -> Accounts:
    return await internal_api.list_accounts(deps, body.user_ids)
