"""Rooms: commands, snapshots, pages, and the events that Redis no longer has."""

from collections.abc import Mapping, Sequence

from shared.contracts.rooms import (
    AnyCommand,
    Batch,
    BatchDone,
    Entered,
    EnterRequest,
    Events,
    EventsRequest,
    HomePage,
    HomePageRequest,
    Homes,
    HomesRequest,
    MessagesPage,
    MessagesRequest,
    PageChoice,
    Places,
    PlacesRequest,
    Revisions,
    SharedRequest,
    SharedWith,
)
from shared.rpc.client import Peer


class Rooms:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def commands(self, commands: list[AnyCommand], *, budget_ms: int, timeout: float) -> BatchDone:
        return await self._peer.call("commands", Batch(budget_ms, commands), BatchDone, timeout=timeout)

    async def homes(self, users: Mapping[str, list[str] | None]) -> Homes:
        return await self._peer.call("homes", HomesRequest(dict(users)), Homes)

    async def home_page(self, user_id: str, before: str | None, limit: int) -> HomePage:
        return await self._peer.call(
            "home-page", HomePageRequest(user_id=user_id, before=before, limit=limit), HomePage
        )

    async def messages(self, user_id: str, room_id: str, choice: PageChoice) -> MessagesPage:
        request = MessagesRequest(user_id=user_id, room_id=room_id, choice=choice)
        return await self._peer.call("messages", request, MessagesPage)

    async def enter(self, user_id: str, room_id: str) -> Entered:
        return await self._peer.call("enter", EnterRequest(user_id, room_id), Entered)

    async def places(self, user_ids: Sequence[str]) -> Places:
        return await self._peer.call("places", PlacesRequest(list(user_ids)), Places)

    async def revisions(self, user_ids: Sequence[str]) -> Revisions:
        return await self._peer.call("revisions", PlacesRequest(list(user_ids)), Revisions)

    async def events(self, cursors: Mapping[str, int]) -> Events:
        return await self._peer.call("events", EventsRequest(dict(cursors)), Events)

    async def shared_with(self, user_id: str, other_ids: Sequence[str]) -> SharedWith:
        return await self._peer.call("shared", SharedRequest(user_id, list(other_ids)), SharedWith)
