"""Looks up the messages that members may see, for many requests at once."""

from collections.abc import Mapping
from functools import partial

from rooms.domain.errors import no_room
from rooms.storage.room_lists import RoomView, find_views
from shared.data_loader import DataLoader
from shared.database.engine import Database

MAX_BATCH = 64
_ID_LENGTH = 36


class RoomViews:
    """Concurrent lookups share a transaction. A result is never older than its request."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loader: DataLoader[RoomView] = DataLoader(self._load, max_batch=MAX_BATCH)

    async def get(self, room_id: str, user_id: str) -> RoomView:
        """Return what a user may see of a room. Raises DomainError for non-members."""
        view = await self._loader.load(room_id + user_id)
        if view is None:
            raise no_room()
        return view

    async def _load(self, keys: list[str]) -> Mapping[str, RoomView]:
        members = [(key[:_ID_LENGTH], key[_ID_LENGTH:]) for key in keys]
        found = await self._database.snapshot(partial(find_views, keys=members))
        return {room_id + user_id: view for (room_id, user_id), view in found.items()}
