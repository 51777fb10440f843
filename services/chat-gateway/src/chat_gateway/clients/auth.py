"""Auth: whether sessions still stand, and whose they are."""

from collections.abc import Sequence

from shared.contracts.auth import ActiveSessions, SessionCheck, User
from shared.rpc.client import Peer


class Auth:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def standing(self, session_ids: Sequence[str]) -> dict[str, User]:
        """The user of each session that stands; at most 1,000 a call."""
        return (await self._peer.call("sessions", SessionCheck(list(session_ids)), ActiveSessions)).users
