"""Keeps answers out of caches: what the API answers is about the caller."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_STORE = (b"cache-control", b"no-store")


class NoStore:
    """ASGI middleware: add `Cache-Control: no-store` to answers below /api that have no such header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api"):
            await self._app(scope, receive, send)
            return

        async def add_header(message: Message) -> None:
            if message["type"] == "http.response.start" and not _has_header(message):
                message["headers"] = [*message.get("headers", ()), NO_STORE]
            await send(message)

        await self._app(scope, receive, add_header)


def _has_header(message: Message) -> bool:
    return any(name.lower() == NO_STORE[0] for name, _ in message.get("headers", ()))
