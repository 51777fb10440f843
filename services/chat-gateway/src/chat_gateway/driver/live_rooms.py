"""The rooms that connections of this gateway read: their events, who gets them, and when they are written."""

import asyncio
import logging
from collections.abc import Callable

from chat_gateway import metrics
from chat_gateway.clients.rooms import Rooms
from chat_gateway.driver.output import close
from chat_gateway.driver.recent_pages import RecentPages
from chat_gateway.event_loader import EventLoader
from chat_gateway.hub import JOIN_S, Hub
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.errors import CloseCode
from chat_gateway.room_subscriptions import RoomSubscriptions
from chat_gateway.subscriber import Subscriber
from chat_gateway.timings import Timings
from shared.ids import now_ms
from shared.redis.client import AnyRedis
from shared.roomlog.frames import time_of
from shared.web.overload import Overload

log = logging.getLogger(__name__)


class LiveRooms:
    """The hub, with everything that feeds it and follows its versions.

    `on_new_epoch` is called when the room logs have another epoch than before, and `on_lost` when publications may have
    been missed.
    """

    def __init__(
        self,
        redis: AnyRedis,
        rooms: Rooms,
        overload: Overload,
        timings: Timings,
        *,
        on_new_epoch: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._on_new_epoch, self._on_lost = on_new_epoch, on_lost
        self._loop = asyncio.get_running_loop()
        self._joined: asyncio.TimerHandle | None = None
        self.hub = Hub(self._flush_soon, self._reader_removed)
        self.event_loader = EventLoader(redis, rooms)
        self.recent_pages = RecentPages()
        self.subscriber = Subscriber(
            redis,
            self.hub,
            self.event_loader,
            overload,
            timings,
            on_reset=self._reset_room,
            on_lost=self._subscription_lost,
        )
        self.subscriptions = RoomSubscriptions(self.hub, self.subscriber)

    # The epoch

    def adopt_epoch(self, epoch: str) -> None:
        """Take the epoch of a response. A new one ends all connections, which started in the old one."""
        if epoch in {"", self.subscriber.epoch}:
            return
        first, self.subscriber.epoch = not self.subscriber.epoch, epoch
        if not first:
            log.warning("the room logs have a new epoch; closing all sockets")
            self.recent_pages.clear()
            self._on_new_epoch()

    # Output

    async def flush_cursors(self) -> None:
        self.hub.flush_cursors()

    def _flush_soon(self) -> None:
        self._loop.call_soon(self._flush_idle)

    def _flush_idle(self) -> None:
        _observe_lag(self.hub.flush_idle(self._loop.time()))
        if self.hub.is_joining and self._joined is None:
            self._joined = self._loop.call_later(JOIN_S, self._flush)

    def _flush(self) -> None:
        self._joined = None
        _observe_lag(self.hub.flush(self._loop.time()))

    # Reports of the hub and of the subscriber

    def _reader_removed(self, connection: Connection, room_id: str) -> None:
        self.subscriptions.leave(connection, room_id)

    def _reset_room(self, room_id: str, head: int) -> None:
        """Continue a room at `head`, and close its readers' connections.

        A missed event may have changed who is a member, so the readers reconnect and start from snapshots.
        """
        readers = self.hub.skip_to(room_id, head)
        metrics.RESETS.inc(len(readers))
        close(readers, CloseCode.TRY_AGAIN, "a room's log does not reach back")

    def _subscription_lost(self) -> None:
        metrics.LOST.inc()
        self.subscriber.mark_dirty(*self.hub.rooms)
        self._on_lost()


def _observe_lag(oldest: bytes) -> None:
    if oldest and (at := time_of(oldest)) is not None:
        metrics.FANOUT_LAG.observe(max(0, now_ms() - at) / 1000)
