"""The authentication request of nginx (`auth_request`), and the public version."""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from auth.api.callers import current_session
from auth.api.dependencies import Deps
from auth.api.origin import is_allowed
from auth.service.accounts import is_operator
from shared import VERSION
from shared.errors import Forbidden
from shared.logging.setup import USER_HEADER, hash_user
from shared.rpc.tokens import TOKEN_HEADER
from shared.web.routing import StructRoute

router = APIRouter(route_class=StructRoute)

Audience = Literal["auth", "social", "rooms", "media", "chat-gateway", "ops"]


class Release(msgspec.Struct):
    version: str


@router.get("/api/version", tags=["version"])
async def get_version() -> Release:
    return Release(VERSION)


@router.get("/check", include_in_schema=False)
async def check(request: Request, deps: Deps, audience: Annotated[Audience, Query()]) -> Response:
    """Answer 204 with a token for `audience`, 401 without a session, 403 for a page of another origin.

    A preflight never carries a cookie: it passes without a token, and only the CORS middleware answers it. For `ops`
    there is a token for operators only. The request of another user passes without one, and ops answers it with 404:
    from this subrequest, nginx passes on only 401 and 403.
    """
    if not is_allowed(request.headers, request.url.scheme, deps.allowed_origins):
        raise Forbidden("This page may not use WebChat.")
    if request.headers.get("X-Original-Method") == "OPTIONS":
        return Response(status_code=204)
    session = await current_session(request, deps)
    headers = {USER_HEADER: hash_user(deps.log_key, session.user_id)}
    if audience != "ops" or await is_operator(deps, session.user_id):
        headers[TOKEN_HEADER] = deps.keys.user_token(session.user_id, session.session_id, audience)
    return Response(status_code=204, headers=headers)
