"""The channels this gateway listens to, and the repair of what they missed.

Publishing is a hint: a version that skips, a lost subscription, or a stream past what was delivered is repaired from
the log by the reading rule, one worker for all rooms.
"""

import asyncio
import itertools
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import Context
from functools import partial

import msgspec

from chat_gateway import meters
from chat_gateway.hub import Hub
from chat_gateway.listener import Listener, Message
from chat_gateway.room_log import Found, RoomLog
from chat_gateway.settings import Timings
from shared.redis.client import Address, AnyRedis, Cluster, access_of, primaries_of, shard_of
from shared.roomlog.frames import CURSORS, TYPING, Live, parse_live
from shared.roomlog.keys import live_channel
from shared.tasks import background
from shared.tracing.spans import Span, child_span
from shared.web.overload import TYPING_SHED, Overload

log = logging.getLogger(__name__)

SUBSCRIBE_AT_ONCE = 500
REPAIR_AT_ONCE = 50

_cursors_decoder = msgspec.json.Decoder(dict[str, int])

Handler = Callable[[bytes], None]


class Subscriber:
    """`on_reset` is told of rooms whose readers cannot have what they missed; `on_lost` when
    subscriptions broke, and again when all are back.
    """

    def __init__(
        self,
        redis: AnyRedis,
        hub: Hub,
        room_log: RoomLog,
        overload: Overload,
        timings: Timings,
        *,
        on_reset: Callable[[str, int], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._redis, self._hub, self._log, self._overload = redis, hub, room_log, overload
        self._timings, self._on_reset, self._on_lost = timings, on_reset, on_lost
        self.epoch = ""
        self._wanted: Counter[str] = Counter()
        self._handlers: dict[str, Handler] = {}
        self._confirmed: dict[str, asyncio.Future[None]] = {}
        self._doubted: set[str] = set()
        self._asked: list[str] = []
        self._ask = asyncio.Event()
        self._unwanted: set[str] = set()
        self._listeners: dict[Address, Listener] = {}
        self._listening: dict[Listener, asyncio.Task[None]] = {}
        self._telling = asyncio.Lock()
        self._torn: set[str] = set()
        self._tear = asyncio.Event()
        self._repairs: dict[str, list[asyncio.Future[None]]] = {}
        self._checked: list[str] = []

    # Subscriptions: `acquire` and `release` only say what is wanted; one worker tells the server, in that order

    async def acquire(self, channels: dict[str, Handler]) -> None:
        """Listen to channels; returns when the server confirmed all of them. Each `acquire` wants a `release`."""
        loop = asyncio.get_running_loop()
        self._wanted.update(channels.keys())
        self._handlers.update(channels)
        for channel in channels:
            if channel not in self._confirmed:
                self._confirmed[channel] = loop.create_future()
                self._asked.append(channel)
                self._ask.set()
        waiting = [self._confirmed[channel] for channel in channels if not self._confirmed[channel].done()]
        if waiting:
            await asyncio.wait(waiting)

    def release(self, channels: Iterable[str]) -> None:
        """Stop listening where nobody else wants the channel; the server is told soon."""
        for channel in channels:
            self._wanted[channel] -= 1
            if self._wanted[channel] <= 0:
                del self._wanted[channel]
                self._unwanted.add(channel)

    def room_handlers(self, room_ids: Iterable[str]) -> dict[str, Handler]:
        """The channels of rooms, with what to do with what arrives there."""
        return {live_channel(self.epoch, room_id): self._room_handler(room_id) for room_id in room_ids}

    def _room_handler(self, room_id: str) -> Handler:
        def handle(message: bytes) -> None:
            live = parse_live(message)
            if live.last:
                span = self._span(room_id, live) if live.traceparent else None
                if not self._hub.receive(room_id, live):
                    self.tear(room_id)
                elif span is not None:
                    asyncio.get_running_loop().call_soon(span.end)  # behind the flush, which writes to the sockets
            elif live.flags == CURSORS:
                self._hub.receive_cursors(room_id, _cursors_decoder.decode(live.data))
            elif live.flags.startswith(TYPING) and not self._overload.sheds_ephemeral(TYPING_SHED):
                self._hub.receive_typing(room_id, live.flags[len(TYPING) + 1 :].decode(), live.data)

        return handle

    def _span(self, room_id: str, live: Live) -> Span | None:
        """Of an event whose way is written down, where it is new to somebody here."""
        room = self._hub.rooms.get(room_id)
        if room is None or live.last <= room.version:
            return None
        fields = {"webchat.room": room_id, "webchat.receivers": len(room.readers)}
        return child_span(live.traceparent, "deliver", "consumer", fields)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._stop_listening)
            for name, work, pause in (
                ("subscribe", self._tell_servers, 0.0),
                ("unsubscribe", self._drop_unwanted, self._timings.tidying),
                ("repair", self._repair_torn, 0.0),
                ("head check", self._check_heads, self._timings.tidying),
            ):
                await stack.enter_async_context(background(name, work, pause=pause, longest=1))
            yield

    async def _tell_servers(self) -> None:
        """Subscribe to what was asked for since the last time, each channel where it lives now."""
        await self._ask.wait()
        self._ask.clear()
        asked, self._asked = self._asked, []
        shards: dict[Address, list[str]] = defaultdict(list)
        try:
            for channel in asked:
                shards[await shard_of(self._redis, channel)].append(channel)
        except BaseException:
            self._ask_for(asked)
            raise
        async with self._telling:
            work = (self._subscribe(address, channels) for address, channels in shards.items())
            failed = [one for one in await asyncio.gather(*work, return_exceptions=True) if one is not None]
        if failed:
            raise failed[0]

    async def _subscribe(self, address: Address, channels: list[str]) -> None:
        """One server that cannot be reached holds up no other; its channels are asked for again."""
        try:
            listener = self._listeners.get(address) or await self._open(address)
            for start in range(0, len(channels), SUBSCRIBE_AT_ONCE):
                await listener.subscribe(channels[start : start + SUBSCRIBE_AT_ONCE])
        except BaseException:
            self._ask_for(channels)
            self._look_again()
            raise

    async def _open(self, address: Address) -> Listener:
        access, by_slot = access_of(self._redis), isinstance(self._redis, Cluster)
        listener = Listener(address, access, by_slot=by_slot, ping_seconds=self._timings.ping)
        await listener.connect()
        self._listeners[address] = listener
        self._listening[listener] = asyncio.create_task(self._listen(listener), context=Context())
        return listener

    async def _listen(self, listener: Listener) -> None:
        """Until the connection breaks: then everything that was heard on it is in doubt."""
        try:
            await listener.listen(partial(self._handle, listener))
        except Exception as error:  # noqa: BLE001 - whatever broke it, the channels are asked for anew
            log.warning("listening to %s:%d broke: %r", *listener.address, error)
        finally:
            del self._listeners[listener.address], self._listening[listener]
            self._look_again()
            self._doubt(listener.channels)
            await listener.aclose()

    async def _stop_listening(self) -> None:
        while self._listening:
            tasks = list(self._listening.values())
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.5)

    def _ask_for(self, channels: Iterable[str]) -> None:
        self._asked += channels
        self._ask.set()

    def _doubt(self, channels: Iterable[str]) -> None:
        """Nothing is confirmed of these any more; who waits already goes on waiting."""
        known = [name for name in channels if name in self._confirmed]
        done = [name for name in known if self._confirmed[name].done()]
        loop = asyncio.get_running_loop()
        self._doubted.update(done)
        self._confirmed |= {name: loop.create_future() for name in done}
        if known:
            self._ask_for(known)
            self._on_lost()

    def _look_again(self) -> None:
        if isinstance(self._redis, Cluster):
            self._redis.rediscover()

    async def _drop_unwanted(self) -> None:
        """Unsubscribe from channels that nobody wants any more, once their subscription is confirmed.

        Leave servers that no channel lives on: without one, or no longer a primary.
        """
        async with self._telling:
            unwanted = {name for name in self._unwanted if name not in self._wanted and self._confirmed[name].done()}
            self._unwanted = {name for name in self._unwanted if name not in self._wanted} - unwanted
            for channel in unwanted:
                del self._confirmed[channel], self._handlers[channel]
            primaries = primaries_of(self._redis)
            for listener in list(self._listeners.values()):
                here = list(listener.channels & unwanted)
                for start in range(0, len(here), SUBSCRIBE_AT_ONCE):
                    await listener.unsubscribe(here[start : start + SUBSCRIBE_AT_ONCE])
                if not listener.channels or (primaries is not None and listener.address not in primaries):
                    self._listening[listener].cancel()

    def _handle(self, listener: Listener, message: Message) -> None:
        channel = message["channel"].decode() if message["channel"] else ""
        match message["type"]:
            case "smessage":
                self._dispatch(channel, message["data"])
            case "ssubscribe":
                self._confirm(channel)
            case "sunsubscribe" if channel in listener.channels:  # its slot moved to another server
                listener.channels.discard(channel)
                self._look_again()
                self._doubt([channel])

    def _confirm(self, channel: str) -> None:
        future = self._confirmed.get(channel)
        if future is not None and not future.done():
            future.set_result(None)
        if channel in self._doubted:
            self._doubted.remove(channel)
            if not self._doubted:  # what was published since the break, until now, was not heard
                self._on_lost()

    def _dispatch(self, channel: str, data: bytes) -> None:
        try:
            if (handler := self._handlers.get(channel)) is not None:
                handler(data)
        except Exception:
            log.exception("a message on %s could not be read", channel)

    # Repair

    def tear(self, *room_ids: str) -> None:
        """These rooms may have missed something: read what comes after what was delivered."""
        self._torn.update(room_ids)
        self._tear.set()

    async def repair(self, room_ids: Iterable[str]) -> None:
        """Tear, and wait until these rooms were read up to what was there at the time of the call."""
        futures = []
        for room_id in room_ids:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._repairs.setdefault(room_id, []).append(future)
            futures.append(future)
            self.tear(room_id)
        await asyncio.gather(*futures)

    async def _repair_torn(self) -> None:
        await self._tear.wait()
        rooms = list(itertools.islice(self._torn, REPAIR_AT_ONCE))
        self._torn.difference_update(rooms)
        waiting = {room_id: self._repairs.pop(room_id, []) for room_id in rooms}
        versions = {room_id: version for room_id in rooms if (version := self._hub.version_of(room_id)) is not None}
        meters.REPAIRS.inc(len(versions))
        try:
            found = await self._log.read_after(self.epoch, versions) if versions else {}
        except BaseException:  # whatever it is: somebody waits for these
            self.tear(*rooms)
            for room_id, futures in waiting.items():
                self._repairs.setdefault(room_id, []).extend(futures)
            raise
        for room_id, answer in found.items():
            self._deliver(room_id, versions[room_id], answer)
        for room_id, futures in waiting.items():
            if room_id in self._torn:
                self._repairs.setdefault(room_id, []).extend(futures)
            else:
                _finish(futures)
        if not self._torn:
            self._tear.clear()

    def _deliver(self, room_id: str, version: int, found: Found) -> None:
        if found.gone:
            self._on_reset(room_id, found.head)
        elif not self._hub.receive_frames(room_id, version + 1, found.frames) or not found.complete:
            self.tear(room_id)

    async def _check_heads(self) -> None:
        """Check the next slice of the rooms; every room is checked within `Timings.head_check`."""
        if not self._checked:
            self._checked = list(self._hub.rooms)
        size = int(len(self._hub.rooms) * self._timings.tidying / self._timings.head_check) + 1
        rooms, self._checked = self._checked[:size], self._checked[size:]
        versions = {room_id: version for room_id in rooms if (version := self._hub.version_of(room_id)) is not None}
        if versions:
            self.tear(*await self._log.behind(self.epoch, versions))


def _finish(futures: list["asyncio.Future[None]"]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
