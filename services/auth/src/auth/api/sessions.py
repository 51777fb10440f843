"""Routes for signing in and out, and for the sessions of an account, below /api/auth."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from auth.api.callers import CurrentSession, delete_cookie, device_of, remember_device, set_cookie
from auth.api.dependencies import Deps
from auth.api.schemas import MAX_BODY_BYTES, LogIn
from auth.service import accounts, sessions, signing_in
from auth.service.sessions import SessionView
from shared.contracts.auth import User
from shared.web.callers import PathId
from shared.web.cursors import Cursor
from shared.web.openapi import Page
from shared.web.routing import StructRoute

router = APIRouter(prefix="/api/auth", tags=["sessions"], max_body_size=MAX_BODY_BYTES, route_class=StructRoute)


@router.post("/login")
async def log_in(request: Request, response: Response, deps: Deps, body: LogIn) -> User:
    """Sign in with an email address or a WebChat ID.

    The cookie `webchat_device` marks a browser that signed in to the account before. Attempts of such browsers are
    limited one by one, those of all others together, by account and by address: 429 with `Retry-After`.
    """
    device = device_of(request)
    user, session = await signing_in.sign_in(deps, body.login, body.password, device)
    set_cookie(request, response, deps, session.secret, session.session)
    remember_device(request, response, deps, device, user.user_id)
    return user


@router.post("/logout", status_code=204)
async def log_out(request: Request, response: Response, deps: Deps, session: CurrentSession) -> None:
    await accounts.sign_out(deps, session)
    delete_cookie(request, response)


@router.get("/sessions")
async def list_sessions(
    deps: Deps, session: CurrentSession, cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=100)] = 100
) -> Page[SessionView]:
    """List the sessions of the account, the newest first."""
    return await sessions.list_sessions(deps, session, cursor, limit)


@router.delete("/sessions/{session_id}", status_code=204)
async def revoke_session(deps: Deps, session: CurrentSession, session_id: PathId) -> None:
    """End one session."""
    await sessions.revoke_session(deps, session, session_id)


@router.delete("/sessions", status_code=204)
async def revoke_other_sessions(deps: Deps, session: CurrentSession) -> None:
    """End all other sessions."""
    await sessions.revoke_others(deps, session)
