"""Routes of the account, below /api/auth."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from auth.api.callers import COOKIE, CurrentSession, client_address, delete_cookie, device_of, set_cookie
from auth.api.dependencies import Deps
from auth.api.schemas import MAX_BODY_BYTES, Closing, PasswordChange, SignUp, WebChatId
from auth.service import accounts
from shared.contracts.auth import User
from shared.web.openapi import answers, reply

router = APIRouter(prefix="/api/auth", tags=["account"], max_body_size=MAX_BODY_BYTES)


class Availability(msgspec.Struct):
    available: bool


@router.post("/signup", status_code=201, responses=answers(User, 201))
async def sign_up(request: Request, deps: Deps, body: SignUp) -> Response:
    """Open an account and sign in to it."""
    user, session = await accounts.sign_up(deps, **body.model_dump(), device=device_of(request))
    return set_cookie(request, deps, reply(user, 201), session.secret)


@router.get("/available", responses=answers(Availability))
async def is_available(request: Request, deps: Deps, webchat_id: Annotated[WebChatId, Query()]) -> Response:
    """Check whether a WebChat ID is free."""
    available = await accounts.is_available(deps, webchat_id, client_address(request))
    return reply(Availability(available))


@router.get("/me", responses=answers(User))
async def get_me(request: Request, deps: Deps, session: CurrentSession) -> Response:
    """Return the signed-in user and renew the cookie, so that it lives as long as the session."""
    user = await accounts.get_user(deps, session)
    return set_cookie(request, deps, reply(user), request.cookies[COOKIE])


@router.post("/password", status_code=204)
async def change_password(deps: Deps, session: CurrentSession, body: PasswordChange) -> Response:
    """Change the password and end all other sessions."""
    await accounts.change_password(deps, session, body.current_password, body.new_password)
    return Response(status_code=204)


@router.delete("/me", status_code=204)
async def close_account(request: Request, deps: Deps, session: CurrentSession, body: Closing) -> Response:
    """Close the account and remove personal data."""
    await accounts.close_account(deps, session, body.password)
    return delete_cookie(request, Response(status_code=204))
