"""Revoked sessions, as auth reports them. So a revocation takes effect within a second, whatever happens to Redis."""

from collections.abc import Callable

from chat_gateway.clients.auth import Auth
from chat_gateway.driver.connections import Connections


class Revocations:
    """Asks auth which sessions were revoked. The cost does not depend on the number of connections.

    `check_all` is called if an answer was incomplete, so that all sessions have to be checked.
    """

    def __init__(self, connections: Connections, auth: Auth, *, check_all: Callable[[], None]) -> None:
        self._connections, self._auth, self._check_all = connections, auth, check_all
        self._since = 0

    async def poll(self) -> None:
        """Ask once, and end the connections of revoked sessions. Raises Unavailable."""
        answer = await self._auth.revocations(self._since)
        self._since = answer.until
        for session in answer.sessions:
            self._connections.end_sessions(session.user_id, session.session_id.__eq__, revoked=not session.replaced)
        if not answer.complete:
            self._check_all()
