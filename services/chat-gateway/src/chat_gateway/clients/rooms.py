"""Client of rooms: commands, snapshots, pages, and events that Redis does not have."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from chat_gateway.clients.fair_reads import fair_reads
from shared.contracts.rooms import (
    AnyCommand,
    BatchResult,
    CommandBatch,
    Events,
    EventsRequest,
    Memberships,
    MessagesPage,
    MessagesRequest,
    PageChoice,
    Revisions,
    RoomListPage,
    RoomListPageRequest,
    RoomLists,
    RoomListsRequest,
    RoomSnapshot,
    RoomSnapshotRequest,
    SharedRoomsRequest,
    SharedWith,
    UserIdsRequest,
)
from shared.rpc.client import Peer

T = TypeVar("T")


class Rooms:
    def __init__(self, peer: Peer) -> None:
        self._peer, self._reads = peer, fair_reads()

    async def commands(self, commands: list[AnyCommand], *, budget_ms: int, timeout: float) -> BatchResult:
        return await self._peer.call("commands", CommandBatch(budget_ms, commands), BatchResult, timeout=timeout)

    async def room_lists(self, users: Mapping[str, list[str] | None]) -> RoomLists:
        return await self._peer.call("homes", RoomListsRequest(dict(users)), RoomLists)

    async def room_list_page(self, user_id: str, before: str | None, limit: int) -> RoomListPage:
        request = RoomListPageRequest(user_id=user_id, before=before, limit=limit)
        return await self._read(user_id, "home-page", request, RoomListPage)

    async def messages(self, user_id: str, room_id: str, choice: PageChoice) -> MessagesPage:
        request = MessagesRequest(user_id=user_id, room_id=room_id, choice=choice)
        return await self._read(user_id, "messages", request, MessagesPage)

    async def enter(self, user_id: str, room_id: str) -> RoomSnapshot:
        return await self._read(user_id, "enter", RoomSnapshotRequest(user_id, room_id), RoomSnapshot)

    async def memberships(self, user_ids: Sequence[str]) -> Memberships:
        return await self._peer.call("places", UserIdsRequest(list(user_ids)), Memberships)

    async def revisions(self, user_ids: Sequence[str]) -> Revisions:
        return await self._peer.call("revisions", UserIdsRequest(list(user_ids)), Revisions)

    async def events(self, cursors: Mapping[str, int]) -> Events:
        return await self._peer.call("events", EventsRequest(dict(cursors)), Events)

    async def shared_with(self, user_id: str, other_ids: Sequence[str]) -> SharedWith:
        return await self._read(user_id, "shared", SharedRoomsRequest(user_id, list(other_ids)), SharedWith)

    async def _read(self, user_id: str, path: str, request: object, answer: type[T]) -> T:
        """Read for one person, who waits if earlier reads of the same person are not answered."""
        async with self._reads.worker(user_id):
            return await self._peer.call(path, request, answer)
