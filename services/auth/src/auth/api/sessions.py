"""Routes for signing in and out, and for the sessions of an account, below /api/auth."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from auth.api.callers import CurrentSession, delete_cookie, device_of, set_cookie
from auth.api.dependencies import Deps
from auth.api.schemas import MAX_BODY_BYTES, LogIn
from auth.service import accounts, sessions
from auth.service.sessions import SessionView
from shared.contracts.auth import User
from shared.web.callers import PathId
from shared.web.cursors import Cursor
from shared.web.openapi import answers, reply

router = APIRouter(prefix="/api/auth", tags=["sessions"], max_body_size=MAX_BODY_BYTES)


@router.post("/login", responses=answers(User))
async def log_in(request: Request, deps: Deps, body: LogIn) -> Response:
    """Sign in with an email address or a WebChat ID."""
    user, session = await accounts.sign_in(deps, body.login, body.password, device_of(request))
    return set_cookie(request, deps, reply(user), session.secret)


@router.post("/logout", status_code=204)
async def log_out(request: Request, deps: Deps, session: CurrentSession) -> Response:
    await accounts.sign_out(deps, session)
    return delete_cookie(request, Response(status_code=204))


@router.get("/sessions", responses=answers(SessionView, page=True))
async def list_sessions(
    deps: Deps, session: CurrentSession, cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=100)] = 100
) -> Response:
    """List the sessions of the account, the newest first."""
    return reply(await sessions.list_sessions(deps, session, cursor, limit))


@router.delete("/sessions/{session_id}", status_code=204)
async def revoke_session(deps: Deps, session: CurrentSession, session_id: PathId) -> Response:
    """End one session."""
    await sessions.revoke_session(deps, session, session_id)
    return Response(status_code=204)


@router.delete("/sessions", status_code=204)
async def revoke_other_sessions(deps: Deps, session: CurrentSession) -> Response:
    """End all other sessions."""
    await sessions.revoke_others(deps, session)
    return Response(status_code=204)
