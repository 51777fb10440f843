"""Revoked sessions, as auth reports them. So a revocation takes effect within a second, whatever happens to Redis."""

import asyncio
from collections.abc import Callable

from chat_gateway.clients.auth import Auth
from chat_gateway.driver.connections import Connections

CHECK_PAUSE_S = 5.0


class Revocations:
    """Asks auth which sessions were revoked. The cost does not depend on the number of connections.

    `check_all` is called if an answer was incomplete, so that all sessions have to be checked. Answers overlap, so an
    incomplete one is followed by others; of these, one in `CHECK_PAUSE_S` counts.
    """

    def __init__(self, connections: Connections, auth: Auth, *, check_all: Callable[[], None]) -> None:
        self._connections, self._auth, self._check_all = connections, auth, check_all
        self._since, self._check_at = 0, 0.0

    async def poll(self) -> None:
        """Ask once, and end the connections of revoked sessions. Raises Unavailable."""
        answer = await self._auth.revocations(self._since)
        self._since = answer.until
        for session in answer.sessions:
            self._connections.end_sessions(session.user_id, session.session_id.__eq__, revoked=not session.replaced)
        now = asyncio.get_running_loop().time()
        if not answer.complete and now >= self._check_at:
            self._check_at = now + CHECK_PAUSE_S
            self._check_all()
