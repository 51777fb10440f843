"""Lookups of a starting connection: its session, the user's rooms, and the user's friends."""

from chat_gateway.clients.auth import Auth
from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from shared.contracts.auth import User
from shared.contracts.rooms import RoomList
from shared.contracts.social import Friends
from shared.data_loader import DataLoader

SESSIONS_PER_CALL = 500
ROOM_LISTS_PER_CALL = 20
"""A user has up to 1,000 rooms and 2,000 friends."""


class Lookups:
    """When hundreds of clients reconnect at once, their lookups share a few calls."""

    def __init__(self, auth: Auth, rooms: Rooms, social: Social) -> None:
        self._rooms = rooms
        self.sessions: DataLoader[str, User] = DataLoader(auth.active_sessions, max_batch=SESSIONS_PER_CALL)
        self.room_lists: DataLoader[str, tuple[str, RoomList]] = DataLoader(
            self._load_room_lists, max_batch=ROOM_LISTS_PER_CALL
        )
        """User → epoch and complete room list."""
        self.friends: DataLoader[str, Friends] = DataLoader(social.friends, max_batch=ROOM_LISTS_PER_CALL)

    async def _load_room_lists(self, user_ids: list[str]) -> dict[str, tuple[str, RoomList]]:
        response = await self._rooms.room_lists(dict.fromkeys(user_ids))
        return {user_id: (response.epoch, response.users.get(user_id) or RoomList(0, [])) for user_id in user_ids}
