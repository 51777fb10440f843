"""Looks up the messages that members may see, for many requests at once."""

from rooms.domain.errors import no_room
from rooms.domain.state import MemberKey
from rooms.storage.room_lists import RoomView, find_views
from shared.data_loader import DataLoader
from shared.database.engine import Database

MAX_BATCH = 64


class RoomViews:
    """Concurrent lookups share a transaction. A result is never older than its request."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loader = DataLoader[MemberKey, RoomView](self._load, max_batch=MAX_BATCH)

    async def get(self, room_id: str, user_id: str) -> RoomView:
        """Return what a user may see of a room. Raises DomainError for non-members."""
        view = await self._loader.load((room_id, user_id))
        if view is None:
            raise no_room()
        return view

    async def _load(self, members: list[MemberKey]) -> dict[MemberKey, RoomView]:
        return await self._database.snapshot(lambda db: find_views(db, members))
