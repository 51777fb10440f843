"""The time within which a request has to be answered (`shared.budgets`)."""

import asyncio
import logging
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.budgets import INTERNAL_REQUEST_S, REQUEST_S, UPLOAD_S
from shared.errors import Unavailable
from shared.web.errors import error_response

log = logging.getLogger(__name__)


class RequestBudget:
    """ASGI middleware: cancel a request whose answer has not begun in time, and answer 503 with `Retry-After`.

    So no request waits forever for a database or another service that hangs. What was cancelled may have been done,
    as with every 503. `uploads` are the paths of uploads, which have more time.
    """

    def __init__(self, app: ASGIApp, *, uploads: Collection[str] = ()) -> None:
        self._app, self._uploads = app, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False
        try:
            async with asyncio.timeout(self._budget_of(scope)) as timeout:

                async def send_in_time(message: Message) -> None:
                    nonlocal has_begun
                    has_begun = True
                    if not timeout.expired():
                        timeout.reschedule(None)  # a body may take longer
                    await send(message)

                await self._app(scope, receive, send_in_time)
        except TimeoutError:
            if has_begun or not timeout.expired():
                raise
            log.warning("a request took too long and was cancelled")
            response = error_response(Unavailable("A part of WebChat does not answer. Try again."))
            await response(scope, receive, send)

    def _budget_of(self, scope: Scope) -> float:
        path: str = scope["path"]
        if path in self._uploads and scope["method"] == "POST":
            return UPLOAD_S
        return INTERNAL_REQUEST_S if path.startswith("/internal/") else REQUEST_S
