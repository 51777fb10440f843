"""The Origin rule before every route of /api/auth, and for nginx before those of the others."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from auth.domain.origin import can_come_from
from shared.errors import Forbidden
from shared.web.errors import error_response


def is_let_in(headers: Headers, scheme: str, listed: Collection[str]) -> bool:
    own = f"{headers.get('X-Forwarded-Proto', scheme)}://{headers.get('Host', '')}"
    return can_come_from(headers.get("Origin"), headers.get("Sec-Fetch-Site"), own, listed)


class OriginGuard:
    """Answers 403 to what a browser sends from a page that is not ours."""

    def __init__(self, app: ASGIApp, listed: Collection[str]) -> None:
        self._app, self._listed = app, listed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._app
        guarded = scope["type"] == "http" and scope["path"].startswith("/api/auth")
        if guarded and not is_let_in(Headers(scope=scope), scope["scheme"], self._listed):
            answer = error_response(Forbidden("This page may not talk to WebChat."))
        await answer(scope, receive, send)
