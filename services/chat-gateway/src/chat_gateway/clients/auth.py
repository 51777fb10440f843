"""Client of auth: checks sessions."""

from collections.abc import Sequence

from shared.contracts.auth import ActiveSessions, SessionCheck, User
from shared.rpc.client import Peer


class Auth:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def active_sessions(self, session_ids: Sequence[str]) -> dict[str, User]:
        """Return the user of each active session. At most 1,000 per call."""
        return (await self._peer.call("sessions", SessionCheck(list(session_ids)), ActiveSessions)).users
