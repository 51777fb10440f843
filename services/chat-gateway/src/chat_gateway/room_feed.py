"""The feed of the hub: publications of rooms, and the repair of rooms that missed some.

A publication may be lost. A gap between versions, a lost subscription, or a stream head past the hub's version makes a
room dirty. One worker repairs dirty rooms from the log.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from chat_gateway import metrics
from chat_gateway.event_loader import EventLoader
from chat_gateway.hub import Hub
from chat_gateway.protocol.resume import EventPage
from chat_gateway.subscriber import Handler
from chat_gateway.timings import Timings
from shared.roomlog.frames import CURSORS, TYPING, Publication, parse_publication
from shared.roomlog.keys import live_channel
from shared.tasks import background
from shared.tracing.spans import Span, child_span
from shared.web.overload import TYPING_SHED, Overload

ROOMS_PER_REPAIR = 50

_cursors_decoder = msgspec.json.Decoder(dict[str, int])


class RoomFeed:
    """Feeds the hub. `on_reset` is called with a room and its head if the events that it missed no longer exist."""

    def __init__(
        self,
        hub: Hub,
        event_loader: EventLoader,
        overload: Overload,
        timings: Timings,
        *,
        on_reset: Callable[[str, int], None],
    ) -> None:
        self._hub, self._event_loader, self._overload = hub, event_loader, overload
        self._timings, self._on_reset = timings, on_reset
        self.epoch = ""
        self._dirty: set[str] = set()
        self._has_dirty = asyncio.Event()
        self._repairs: dict[str, list[asyncio.Future[None]]] = {}
        self._unchecked: list[str] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for name, work, pause in (
                ("repair", self._repair_dirty, 0.0),
                ("head check", self._check_heads, self._timings.housekeeping),
            ):
                await stack.enter_async_context(background(name, work, pause=pause, longest=1))
            yield

    # Publications

    def handlers(self, epoch: str, room_ids: Iterable[str]) -> dict[str, Handler]:
        """Return the channels of rooms with their handlers, for `Subscriber.acquire`."""
        return {live_channel(epoch, room_id): self._handler(room_id) for room_id in room_ids}

    def _handler(self, room_id: str) -> Handler:
        def handle(message: bytes) -> None:
            publication = parse_publication(message)
            if publication.last:
                span = self._start_span(room_id, publication) if publication.traceparent else None
                if not self._hub.receive(room_id, publication):
                    self.mark_dirty(room_id)
                elif span is not None:
                    asyncio.get_running_loop().call_soon(span.end)  # after the flush, which writes to the sockets
            elif publication.flags == CURSORS:
                self._hub.receive_cursors(room_id, _cursors_decoder.decode(publication.data))
            elif publication.flags.startswith(TYPING) and not self._overload.sheds_ephemeral(TYPING_SHED):
                user_id = publication.flags[len(TYPING) + 1 :].decode()
                self._hub.receive_typing(room_id, user_id, publication.data)

        return handle

    def _start_span(self, room_id: str, publication: Publication) -> Span | None:
        """Start a span for a sampled event. Returns None if no reader here gets it now."""
        room = self._hub.rooms.get(room_id)
        if room is None or publication.last <= room.version:
            return None
        fields = {"webchat.room": room_id, "webchat.receivers": len(room.readers)}
        return child_span(publication.traceparent, "deliver", "consumer", fields)

    # Repair

    def mark_dirty(self, *room_ids: str) -> None:
        """Repair rooms soon: they may have missed events after the hub's version."""
        self._dirty.update(room_ids)
        self._has_dirty.set()

    async def repair(self, room_ids: Iterable[str]) -> None:
        """Mark rooms dirty, and wait until the hub has all events that existed at the time of the call."""
        futures = []
        for room_id in room_ids:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._repairs.setdefault(room_id, []).append(future)
            futures.append(future)
            self.mark_dirty(room_id)
        await asyncio.gather(*futures)

    async def _repair_dirty(self) -> None:
        """Wait for dirty rooms, and read one batch of them from the log."""
        await self._has_dirty.wait()
        rooms = list(itertools.islice(self._dirty, ROOMS_PER_REPAIR))
        self._dirty.difference_update(rooms)
        waiting = {room_id: self._repairs.pop(room_id, []) for room_id in rooms}
        versions = {room_id: version for room_id in rooms if (version := self._hub.version_of(room_id)) is not None}
        metrics.REPAIRS.inc(len(versions))
        try:
            pages = await self._event_loader.load_after(self.epoch, versions) if versions else {}
        except BaseException:  # even if this task is cancelled, callers still wait for the rooms
            self.mark_dirty(*rooms)
            for room_id, futures in waiting.items():
                self._repairs.setdefault(room_id, []).extend(futures)
            raise
        behind = {room_id for room_id, page in pages.items() if not self._deliver(room_id, versions[room_id], page)}
        self.mark_dirty(*behind)
        for room_id, futures in waiting.items():
            if room_id in behind:
                self._repairs.setdefault(room_id, []).extend(futures)
            else:
                _resolve(futures)
        if not self._dirty:
            self._has_dirty.clear()

    def _deliver(self, room_id: str, version: int, page: EventPage) -> bool:
        """Pass a page to the hub. Returns False if more has to be read."""
        if page.gone:
            self._on_reset(room_id, page.head)
            return True
        return self._hub.receive_frames(room_id, version + 1, page.frames) and page.complete

    async def _check_heads(self) -> None:
        """Check the next slice of the rooms. Every room is checked within `Timings.head_check`."""
        if not self._unchecked:
            self._unchecked = list(self._hub.rooms)
        size = int(len(self._hub.rooms) * self._timings.housekeeping / self._timings.head_check) + 1
        rooms, self._unchecked = self._unchecked[:size], self._unchecked[size:]
        versions = {room_id: version for room_id in rooms if (version := self._hub.version_of(room_id)) is not None}
        if versions:
            self.mark_dirty(*await self._event_loader.lagging(self.epoch, versions))


def _resolve(futures: list["asyncio.Future[None]"]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
