"""/internal: what auth answers to the other services. Not reachable through nginx."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.api.dependencies import Deps
from auth.service import peers
from shared.contracts.auth import ServiceTokenRequest, SessionCheck, SigningKeys, UsersRequest
from shared.web.callers import ServiceCaller
from shared.web.openapi import read_body, reply

router = APIRouter(prefix="/internal", include_in_schema=False)


@router.post("/keys")
@router.get("/jwks")
async def list_keys(deps: Deps) -> Response:
    """The public keys that verify tokens."""
    return reply(SigningKeys(deps.keys.public_keys))


@router.post("/token")
async def issue_token(request: Request, deps: Deps) -> Response:
    asked = await read_body(request, ServiceTokenRequest)
    return reply(peers.issue_token(deps, asked))


@router.post("/sessions")
async def check_sessions(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, SessionCheck)
    return reply(await peers.check_sessions(deps, asked.session_ids))


@router.post("/accounts")
async def list_accounts(request: Request, deps: Deps, _: ServiceCaller) -> Response:
    asked = await read_body(request, UsersRequest)
    return reply(await peers.list_accounts(deps, asked.user_ids))
