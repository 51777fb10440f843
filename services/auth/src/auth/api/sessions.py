"""/api/auth: signing in and out, and the sessions of one account."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from auth.api.bodies import MAX_BODY, LogIn
from auth.api.callers import Signed, device_of, give_cookie, take_cookie
from auth.api.dependencies import Deps
from auth.service import accounts, sessions
from auth.service.sessions import SessionView
from shared.contracts.auth import User
from shared.web.callers import PathId
from shared.web.cursors import Cursor
from shared.web.openapi import answers, reply

router = APIRouter(prefix="/api/auth", tags=["sessions"], max_body_size=MAX_BODY)


@router.post("/login", responses=answers(User))
async def log_in(request: Request, deps: Deps, body: LogIn) -> Response:
    """Sign in with an email address or a WebChat ID."""
    user, session = await accounts.sign_in(deps, body.login, body.password, device_of(request))
    return give_cookie(request, deps, reply(user), session.secret)


@router.post("/logout", status_code=204)
async def log_out(request: Request, deps: Deps, session: Signed) -> Response:
    await accounts.sign_out(deps, session)
    return take_cookie(request, Response(status_code=204))


@router.get("/sessions", responses=answers(SessionView, page=True))
async def list_sessions(
    deps: Deps, session: Signed, cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=100)] = 100
) -> Response:
    """Where the account is signed in, the newest first."""
    return reply(await sessions.list_sessions(deps, session, cursor, limit))


@router.delete("/sessions/{session_id}", status_code=204)
async def revoke_session(deps: Deps, session: Signed, session_id: PathId) -> Response:
    """Sign one device out."""
    await sessions.revoke_session(deps, session, session_id)
    return Response(status_code=204)


@router.delete("/sessions", status_code=204)
async def revoke_other_sessions(deps: Deps, session: Signed) -> Response:
    """Sign all other devices out."""
    await sessions.revoke_others(deps, session)
    return Response(status_code=204)
