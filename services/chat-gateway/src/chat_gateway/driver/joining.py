"""Joining rooms: runs the steps of `protocol.joining`, and waits where it cannot."""

from collections.abc import Iterable, Mapping

from chat_gateway import metrics
from chat_gateway.driver.live_rooms import LiveRooms
from chat_gateway.driver.output import send_frame
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.protocol.frames import RoomRemoved, RoomReset
from chat_gateway.protocol.joining import Joining, Leave, Next, Reset, Send, Step

ROOMS_AT_ONCE = 50
MAX_ROUNDS = 200


class RoomJoiner:
    def __init__(self, live_rooms: LiveRooms) -> None:
        self._hub, self._subscriptions = live_rooms.hub, live_rooms.subscriptions
        self._event_loader, self._feed = live_rooms.event_loader, live_rooms.feed

    async def join(self, connection: Connection, cursors: Mapping[str, int], heads: Mapping[str, int]) -> None:
        """Send the events after the cursors, and deliver the later ones.

        `heads` are the versions of the snapshot that the client has. The connection is in the rooms already. A room is
        skipped once the user left it, even if they rejoined: a separate call handles the new membership.
        """
        joining = Joining(connection.user_id, self._subscriptions.of(connection), cursors, heads)
        self._join(connection, joining, joining.complete)
        for _ in range(MAX_ROUNDS):
            wanted = joining.next_rooms(self._subscriptions.of(connection), ROOMS_AT_ONCE)
            if not wanted:
                return
            await self._send_missed(connection, joining, wanted)
            lagging = self._join(connection, joining, (room_id for room_id in joining.complete if room_id in wanted))
            if lagging:
                await self._feed.repair(lagging)
                self._join(connection, joining, lagging)
        connection.transport.close(CloseCode.SLOW_READER, "the rooms change faster than this connection reads")

    def _join(self, connection: Connection, joining: Joining, room_ids: Iterable[str]) -> list[str]:
        """Deliver from the cursor in the rooms where the hub is at it. Returns the rooms where the hub lags."""
        lagging = []
        for room_id in room_ids:
            match joining.next(room_id, self._hub.version_of(room_id)):
                case Next.JOIN if self._deliver(connection, joining, room_id):
                    joining.forget([room_id])
                case Next.REPAIR:
                    lagging.append(room_id)
        return lagging

    def _deliver(self, connection: Connection, joining: Joining, room_id: str) -> bool:
        if not joining.belongs(room_id, self._subscriptions.membership(connection, room_id)):
            return False
        return self._subscriptions.deliver_from(connection, room_id, joining.cursors[room_id])

    async def _send_missed(self, connection: Connection, joining: Joining, wanted: Mapping[str, int]) -> None:
        """Load a page of events of each room, and run the steps that follow."""
        known = {room_id: self._hub.version_of(room_id) or 0 for room_id in wanted}
        pages = await self._event_loader.load_after(connection.epoch, wanted, known)
        for room_id in wanted:
            membership = self._subscriptions.membership(connection, room_id)
            for step in joining.receive(room_id, pages.get(room_id), membership):
                await self._run(connection, joining, room_id, step)

    async def _run(self, connection: Connection, joining: Joining, room_id: str, step: Step) -> None:
        match step:
            case Send(data=data):
                await connection.transport.send(data)
            case Reset():
                metrics.RESETS.inc()
                await send_frame(connection, RoomReset(room_id=room_id))
            case Leave():
                if joining.belongs(room_id, self._subscriptions.membership(connection, room_id)):
                    self._subscriptions.leave(connection, room_id)
                    await send_frame(connection, RoomRemoved(room_id=room_id))
