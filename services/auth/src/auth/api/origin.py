"""The Origin rule for the routes of /api/auth. Nginx applies it to the other services through `/check`."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from auth.api.callers import client_address
from auth.domain.origin import is_allowed_origin
from shared.errors import Forbidden
from shared.logging.audit import audit
from shared.web.errors import error_response


def is_allowed(headers: Headers, scheme: str, listed: Collection[str]) -> bool:
    own = f"{headers.get('X-Forwarded-Proto', scheme)}://{headers.get('Host', '')}"
    return is_allowed_origin(headers.get("Origin"), headers.get("Sec-Fetch-Site"), own, listed)


def refuse(address: str) -> Forbidden:
    """Audit a request from a page of another origin, without the name of that page. Return its error."""
    audit("origin-refuse", outcome="failure", address=address)
    error = Forbidden("This page may not use WebChat.")
    error.audited = True
    return error


class OriginGuard:
    """ASGI middleware: answers 403 to requests that a browser sends from a page of another origin."""

    def __init__(self, app: ASGIApp, listed: Collection[str]) -> None:
        self._app, self._listed = app, listed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._app
        guarded = scope["type"] == "http" and scope["path"].startswith("/api/auth")
        if guarded and not is_allowed(Headers(scope=scope), scope["scheme"], self._listed):
            answer = error_response(refuse(client_address(Request(scope))))
        await answer(scope, receive, send)
