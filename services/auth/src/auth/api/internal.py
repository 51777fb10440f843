"""/internal: what auth answers to the other services. Not reachable through nginx."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.api.callers import parts_of
from auth.service import peers
from shared.contracts.auth import ServiceTokenRequest, SessionCheck, SigningKeys, UsersRequest
from shared.web.callers import ServiceCaller
from shared.web.openapi import read_body, reply

router = APIRouter(prefix="/internal", include_in_schema=False)


@router.post("/keys")
@router.get("/jwks")
async def list_keys(request: Request) -> Response:
    """The public keys that verify tokens."""
    return reply(SigningKeys(parts_of(request).keys.public_keys))


@router.post("/token")
async def issue_token(request: Request) -> Response:
    asked = await read_body(request, ServiceTokenRequest)
    return reply(peers.issue_token(parts_of(request), asked))


@router.post("/sessions")
async def check_sessions(request: Request, _: ServiceCaller) -> Response:
    asked = await read_body(request, SessionCheck)
    return reply(await peers.check_sessions(parts_of(request), asked.session_ids))


@router.post("/accounts")
async def list_accounts(request: Request, _: ServiceCaller) -> Response:
    asked = await read_body(request, UsersRequest)
    return reply(await peers.list_accounts(parts_of(request), asked.user_ids))
