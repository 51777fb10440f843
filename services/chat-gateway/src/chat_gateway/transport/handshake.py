"""Whether an upgrade may happen: it carries a token that nginx got from auth for the cookie."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from shared.errors import DomainError, Unauthenticated
from shared.rpc.tokens import TOKEN_HEADER, Principal

log = logging.getLogger(__name__)


class Handshake:
    def __init__(self, verify: Callable[[str], Awaitable[Principal]]) -> None:
        self._verify = verify

    async def check(self, headers: Mapping[str, str]) -> Principal | DomainError:
        """The user and session behind an upgrade request, or why it may not happen."""
        try:
            principal = await self._verify(headers.get(TOKEN_HEADER, ""))
        except DomainError as problem:
            log.info("an upgrade was refused: %s", problem.detail)
            return problem
        return principal if principal.use == "user" else Unauthenticated("Sign in first.")
