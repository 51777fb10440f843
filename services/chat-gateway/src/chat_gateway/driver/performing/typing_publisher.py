"""Publishes typing to the rooms' channels, for every gateway."""

from chat_gateway.driver.output import write_error
from chat_gateway.ephemeral import EphemeralPublisher
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.encoding import encode
from chat_gateway.protocol.frames import RoomTyping, Typing
from chat_gateway.room_subscriptions import RoomSubscriptions
from shared.errors import ErrorCode
from shared.roomlog.frames import TYPING, publication_header
from shared.roomlog.keys import live_channel
from shared.web.overload import TYPING_SHED, Overload


class TypingPublisher:
    def __init__(self, subscriptions: RoomSubscriptions, ephemeral: EphemeralPublisher, overload: Overload) -> None:
        self._subscriptions, self._ephemeral, self._overload = subscriptions, ephemeral, overload

    def publish(self, connection: Connection, frame: RoomTyping) -> None:
        """Publish typing. The only reply is an error if the user is not in the room.

        If the other member of a direct room has blocked the user, typing is dropped without an error.
        """
        if self._overload.sheds_ephemeral(TYPING_SHED):
            return
        if not self._subscriptions.receives(connection, frame.room_id):
            write_error(connection, frame.id, ErrorCode.NOT_FOUND, "There is no such room.")
            return
        if self._subscriptions.of(connection)[frame.room_id].silenced:
            return
        event = Typing(room_id=frame.room_id, user_id=connection.user_id, typing=frame.typing)
        header = publication_header(0, 0, TYPING + b":" + connection.user_id.encode())
        self._ephemeral.publish(live_channel(connection.epoch, frame.room_id), header + encode(event))
