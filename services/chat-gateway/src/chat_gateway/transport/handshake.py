"""WebSocket upgrades: authentication by a token that nginx got from auth for the session cookie."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from shared.errors import DomainError, Unauthenticated
from shared.instance import INSTANCE, INSTANCE_HEADER
from shared.logging.context import add_log_fields
from shared.rpc.tokens import TOKEN_HEADER, Principal

log = logging.getLogger(__name__)


class Handshake:
    def __init__(self, verify: Callable[[str], Awaitable[Principal]]) -> None:
        self._verify = verify

    async def answer(self, ws: ServerProtocol, request: Request) -> Principal | None:
        """Let `ws` accept or reject the upgrade. Returns the user and session, or None if it was rejected."""
        response = ws.accept(request)
        principal = None
        if response.status_code == 101:
            principal, response = await self._authenticate(ws, request, response)
        ws.send_response(response)
        return principal

    async def _authenticate(
        self, ws: ServerProtocol, request: Request, accepted: Response
    ) -> tuple[Principal | None, Response]:
        if request.headers.get(INSTANCE_HEADER, INSTANCE) != INSTANCE:
            return None, ws.reject(404, "This request is for another gateway.\n")
        principal = await self.check(request.headers)
        if isinstance(principal, DomainError):
            return None, ws.reject(principal.code.status, f"{principal.detail}\n")
        add_log_fields(user_id=principal.subject)
        return principal, accepted

    async def check(self, headers: Mapping[str, str]) -> Principal | DomainError:
        """Return the user and session of an upgrade request, or the error with which it is rejected."""
        try:
            principal = await self._verify(headers.get(TOKEN_HEADER, ""))
        except DomainError as error:
            log.info("an upgrade was rejected: %s", error.detail)
            return error
        return principal if principal.use == "user" else Unauthenticated("Sign in first.")
