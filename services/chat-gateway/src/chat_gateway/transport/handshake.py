"""Authentication of WebSocket upgrades, by a token that nginx got from auth for the session cookie."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from shared.errors import DomainError, Unauthenticated
from shared.rpc.tokens import TOKEN_HEADER, Principal

log = logging.getLogger(__name__)


class Handshake:
    def __init__(self, verify: Callable[[str], Awaitable[Principal]]) -> None:
        self._verify = verify

    async def check(self, headers: Mapping[str, str]) -> Principal | DomainError:
        """Return the user and session of an upgrade request, or the error with which it is rejected."""
        try:
            principal = await self._verify(headers.get(TOKEN_HEADER, ""))
        except DomainError as error:
            log.info("an upgrade was rejected: %s", error.detail)
            return error
        return principal if principal.use == "user" else Unauthenticated("Sign in first.")
