"""Client of social: friends, revisions of friend lists, and relationships between users."""

from collections.abc import Sequence

from chat_gateway.clients.fair_reads import fair_reads
from shared.contracts.social import (
    FriendLists,
    FriendRevisions,
    Friends,
    FriendsRequest,
    Relationships,
    RelationshipsRequest,
)
from shared.rpc.client import Peer


class Social:
    def __init__(self, peer: Peer) -> None:
        self._peer, self._reads = peer, fair_reads()

    async def friends(self, user_ids: Sequence[str]) -> dict[str, Friends]:
        return (await self._peer.call("friends", FriendsRequest(list(user_ids)), FriendLists)).users

    async def revisions(self, user_ids: Sequence[str]) -> dict[str, int]:
        return (await self._peer.call("revisions", FriendsRequest(list(user_ids)), FriendRevisions)).revisions

    async def pairs(self, user_id: str, other_ids: Sequence[str]) -> Relationships:
        async with self._reads.worker(user_id):
            return await self._peer.call("pairs", RelationshipsRequest(user_id, list(other_ids)), Relationships)
