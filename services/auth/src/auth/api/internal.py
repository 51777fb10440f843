"""Routes for the other services, below /internal. They are not reachable through nginx."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.api.dependencies import Deps
from auth.service import internal_api
from shared.contracts.auth import ServiceTokenRequest, SessionCheck, SigningKeys, UsersRequest
from shared.web.callers import ServiceCaller
from shared.web.openapi import read_body, reply

router = APIRouter(prefix="/internal", include_in_schema=False)


@router.post("/keys")
@router.get("/jwks")
async def list_keys(deps: Deps) -> Response:
    """Return the public keys that verify tokens."""
    return reply(SigningKeys(deps.keys.public_keys))


@router.post("/token")
async def issue_token(request: Request, deps: Deps) -> Response:
    body = await read_body(request, ServiceTokenRequest)
    return reply(internal_api.issue_token(deps, body))


@router.post("/sessions")
async def check_sessions(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, SessionCheck)
    return reply(await internal_api.check_sessions(deps, body.session_ids))


@router.post("/accounts")
async def list_accounts(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    body = await read_body(request, UsersRequest)
    return reply(await internal_api.list_accounts(deps, body.user_ids))
