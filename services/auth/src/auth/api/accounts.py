"""Routes of the account, below /api/auth."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from auth.api.callers import (
    CurrentSession,
    client_address,
    delete_cookie,
    device_of,
    remember_device,
    session_secret,
    set_cookie,
)
from auth.api.dependencies import Deps
from auth.api.schemas import MAX_BODY_BYTES, Closing, PasswordChange, SignUp, WebChatId
from auth.service import accounts
from shared.contracts.auth import User
from shared.web.routing import StructRoute

router = APIRouter(prefix="/api/auth", tags=["account"], max_body_size=MAX_BODY_BYTES, route_class=StructRoute)


class Availability(msgspec.Struct):
    available: bool


@router.post("/signup", status_code=201)
async def sign_up(request: Request, response: Response, deps: Deps, body: SignUp) -> User:
    """Open an account and sign in to it."""
    device = device_of(request)
    user, session = await accounts.sign_up(deps, **body.model_dump(), device=device)
    set_cookie(request, response, deps, session.secret, session.session)
    remember_device(request, response, deps, device, user.user_id)
    return user


@router.get("/available")
async def is_available(request: Request, deps: Deps, webchat_id: Annotated[WebChatId, Query()]) -> Availability:
    """Check whether a WebChat ID is free."""
    return Availability(await accounts.is_available(deps, webchat_id, client_address(request)))


@router.get("/me")
async def get_me(request: Request, response: Response, deps: Deps, session: CurrentSession) -> User:
    """Return the signed-in user and renew the cookie, so that it lives as long as the session."""
    user = await accounts.get_user(deps, session)
    set_cookie(request, response, deps, session_secret(request), session)
    return user


@router.post("/password", status_code=204)
async def change_password(deps: Deps, session: CurrentSession, body: PasswordChange) -> None:
    """Change the password and end all other sessions."""
    await accounts.change_password(deps, session, body.current_password, body.new_password)


@router.delete("/me", status_code=204)
async def close_account(
    request: Request, response: Response, deps: Deps, session: CurrentSession, body: Closing
) -> None:
    """Close the account and remove personal data."""
    await accounts.close_account(deps, session, body.password)
    delete_cookie(request, response)
