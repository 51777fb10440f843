"""Client of auth: checks sessions, and lists revoked ones."""

from collections.abc import Sequence

from shared.contracts.auth import ActiveSessions, Revocations, RevocationsRequest, SessionCheck, User
from shared.rpc.client import Peer

REVOCATIONS_S = 1.0


class Auth:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def active_sessions(self, session_ids: Sequence[str]) -> dict[str, User]:
        """Return the user of each active session. At most 1,000 per call."""
        return (await self._peer.call("sessions", SessionCheck(list(session_ids)), ActiveSessions)).users

    async def revocations(self, since: int) -> Revocations:
        """Return the sessions that were revoked since the `until` of an earlier answer, or 0 for the first call."""
        return await self._peer.call("revocations", RevocationsRequest(since), Revocations, timeout=REVOCATIONS_S)
