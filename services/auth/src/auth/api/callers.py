"""The callers of auth's own routes: browsers with a session cookie, and their addresses."""

import ipaddress
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from auth.api.dependencies import Deps
from auth.domain.accounts import ActiveSession
from auth.service.dependencies import Dependencies
from auth.service.sessions import Device, find_session
from shared.errors import SessionEnded, Unauthenticated
from shared.ids import now_ms
from shared.logging.context import add_log_fields

COOKIE = "webchat_session"
TLS_COOKIE = "__Host-webchat_session"
"""The name under TLS: browsers accept it only from this host and over TLS, so no other host can set the cookie."""
COOKIE_ENDS_EARLIER_S = 120
"""A cookie expires before its session, whose use is recorded only once a minute: a late cookie was revoked."""
DEVICE_COOKIE = "webchat_device"
DEVICE_COOKIE_S = 400 * 24 * 3600
"""As long as browsers allow. Each sign-in extends it."""


def client_address(request: Request) -> str:
    """Return the client address that nginx reports, or without nginx that of the connection."""
    reported = request.headers.get("X-Real-IP", "")
    try:
        return str(ipaddress.ip_address(reported.split("%")[0]))
    except ValueError:
        return request.client.host[:45] if request.client else ""


def session_secret(request: Request) -> str:
    """Return the secret of the session, or "". Under TLS, the cookie of earlier releases still counts."""
    cookies = request.cookies
    if TLS_COOKIE in cookies and is_secure(request):
        return cookies[TLS_COOKIE]
    return cookies.get(COOKIE, "")


def device_of(request: Request) -> Device:
    user_agent = "".join(char for char in request.headers.get("User-Agent", "") if char.isprintable())
    return Device(
        address=client_address(request),
        user_agent=user_agent[:200],
        cookie=request.cookies.get(DEVICE_COOKIE, ""),
        session_secret=session_secret(request),
    )


async def current_session(request: Request, deps: Deps) -> ActiveSession:
    secret = session_secret(request)
    session = await find_session(deps, secret)
    if session is not None:
        add_log_fields(user_id=session.user_id)
        return session
    # A browser drops the cookie before the session expires, so the session of this one was revoked.
    if secret:
        raise SessionEnded("This session was ended: sign in again.")
    raise Unauthenticated("Sign in first.")


CurrentSession = Annotated[ActiveSession, Depends(current_session)]


def is_secure(request: Request) -> bool:
    """Return whether there is TLS between the browser and nginx, or a proxy that nginx trusts."""
    scheme: str = request.headers.get("X-Forwarded-Proto", request.scope["scheme"])
    return scheme == "https"


def set_cookie(request: Request, response: Response, deps: Dependencies, secret: str, session: ActiveSession) -> None:
    """Set the cookie for almost the remaining lifetime of the session."""
    now, secure = now_ms(), is_secure(request)
    remaining_ms = deps.session_lifetime.extended(session, now) - now
    name, other = (TLS_COOKIE, COOKIE) if secure and deps.host_cookie else (COOKIE, TLS_COOKIE)
    response.set_cookie(
        name,
        secret,
        max_age=max(0, remaining_ms // 1000 - COOKIE_ENDS_EARLIER_S),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )
    if secure and other in request.cookies:
        _delete(response, other, secure=True)


def delete_cookie(request: Request, response: Response) -> None:
    secure = is_secure(request)
    for name in (TLS_COOKIE, COOKIE) if secure else (COOKIE,):
        _delete(response, name, secure=secure)


def _delete(response: Response, name: str, *, secure: bool) -> None:
    response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="lax")


def remember_device(request: Request, response: Response, deps: Dependencies, device: Device, user_id: str) -> None:
    """Let the browser of a successful sign-in be recognised by the account's next one. Signing out keeps the cookie."""
    response.set_cookie(
        DEVICE_COOKIE,
        deps.devices.add(device.cookie, user_id),
        max_age=DEVICE_COOKIE_S,
        path="/api/auth",
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )
