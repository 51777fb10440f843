"""Social: friends, their revisions, and what stands between people."""

from collections.abc import Sequence

from shared.contracts.social import Friends, FriendsOf, FriendsRequest, Pairs, PairsRequest, RevisionsOf
from shared.rpc.client import Peer


class Social:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def friends(self, user_ids: Sequence[str]) -> dict[str, Friends]:
        return (await self._peer.call("friends", FriendsRequest(list(user_ids)), FriendsOf)).users

    async def revisions(self, user_ids: Sequence[str]) -> dict[str, int]:
        return (await self._peer.call("revisions", FriendsRequest(list(user_ids)), RevisionsOf)).revisions

    async def pairs(self, user_id: str, other_ids: Sequence[str]) -> Pairs:
        return await self._peer.call("pairs", PairsRequest(user_id, list(other_ids)), Pairs)
