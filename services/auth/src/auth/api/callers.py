"""Who calls auth itself: a browser by its cookie, from an address that nginx names."""

import ipaddress
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from auth.api.dependencies import Deps
from auth.domain.accounts import StandingSession
from auth.service.dependencies import Dependencies
from auth.service.sessions import Device, find_session
from shared.errors import SessionEnded, Unauthenticated
from shared.logging.context import note

COOKIE = "webchat_session"
SOONER_S = 120
"""A cookie goes before its session does: the use of a session is noted once a minute, and answers take a while."""


def client_address(request: Request) -> str:
    """The address that nginx saw; without nginx, that of the connection."""
    named = request.headers.get("X-Real-IP", "")
    try:
        return str(ipaddress.ip_address(named.split("%")[0]))
    except ValueError:
        return request.client.host[:45] if request.client else ""


def device_of(request: Request) -> Device:
    shown = "".join(char for char in request.headers.get("User-Agent", "") if char.isprintable())
    return Device(client_address(request), shown[:200])


async def current_session(request: Request, deps: Deps) -> StandingSession:
    secret = request.cookies.get(COOKIE, "")
    session = await find_session(deps, secret)
    if session is not None:
        note(user_id=session.user_id)
        return session
    # A browser drops the cookie when the session's life is over: one that still comes was revoked before.
    if secret:
        raise SessionEnded("This session was ended: sign in again.")
    raise Unauthenticated("Sign in first.")


Signed = Annotated[StandingSession, Depends(current_session)]


def scheme_of(request: Request) -> str:
    """How the browser speaks to nginx."""
    return request.headers.get("X-Forwarded-Proto", request.url.scheme)


def give_cookie(request: Request, deps: Dependencies, response: Response, secret: str) -> Response:
    """Let the browser keep the session for almost as long as it lives from now on."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=deps.settings.session_lifetime_ms // 1000 - SOONER_S,
        path="/",
        secure=scheme_of(request) == "https",
        httponly=True,
        samesite="lax",
    )
    return response


def take_cookie(request: Request, response: Response) -> Response:
    response.delete_cookie(COOKIE, path="/", secure=scheme_of(request) == "https", httponly=True, samesite="lax")
    return response
