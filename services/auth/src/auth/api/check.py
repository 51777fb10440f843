"""The authentication request of nginx (`auth_request`), and the public version."""

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from auth.api.callers import current_session
from auth.api.origin import is_allowed, refuse
from auth.service.accounts import is_operator
from auth.service.dependencies import Dependencies
from shared import VERSION
from shared.errors import Invalid
from shared.logging.setup import USER_HEADER, hash_user
from shared.rpc.tokens import TOKEN_HEADER
from shared.settings import SERVICES
from shared.web.plain_routes import PlainRoute
from shared.web.state import get_dependencies

router = APIRouter(route_class=PlainRoute)

AUDIENCES = {f"audience={name}".encode(): name for name in (*SERVICES, "ops")}
"""The audience by the query of the request. nginx writes it in this form only."""


class Release(msgspec.Struct):
    version: str


@router.get("/api/version", tags=["version"])
async def get_version() -> Release:
    return Release(VERSION)


async def check(request: Request) -> Response:
    """Answer 204 with a token for `audience`, 401 without a session, 403 for a page of another origin.

    For `ops` there is a token for operators only. The request of another user passes without one, and ops answers it
    with 404: from this subrequest, nginx passes on only 401 and 403.
    """
    deps: Dependencies = await get_dependencies(request)
    audience = AUDIENCES.get(request.scope["query_string"])
    if audience is None:
        raise Invalid("There is no such audience.", errors={"audience": "is not a service"})
    if not is_allowed(request.headers, request.scope["scheme"], deps.allowed_origins):
        raise refuse("")  # nginx sends no address here; its line with the same trace has it
    session = await current_session(request, deps)
    headers = {USER_HEADER: hash_user(deps.log_key, session.user_id)}
    if audience != "ops" or await is_operator(deps, session.user_id):
        headers[TOKEN_HEADER] = deps.keys.user_token(session.user_id, session.session_id, audience)
    return Response(status_code=204, headers=headers)


class _CheckRoute(PlainRoute):
    """Calls the endpoint directly: the adapter of other endpoints would take a fifth of the time of a check."""

    async def answer(self, request: Request) -> Response:
        return await check(request)


router.add_api_route("/check", check, methods=["GET"], include_in_schema=False, route_class_override=_CheckRoute)
