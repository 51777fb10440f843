"""The subscriptions of this gateway to sharded channels, on one Redis server or on those of a cluster."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import Context
from functools import partial
from typing import Any

from chat_gateway.listener import Listener, open_listener
from chat_gateway.timings import Timings
from shared.redis.client import Address, AnyRedis, Cluster, access_of, primaries_of, shard_of
from shared.tasks import background

log = logging.getLogger(__name__)

CHANNELS_PER_COMMAND = 500

Handler = Callable[[bytes], None]


class Subscriber:
    """Subscribes to channels and calls their handlers.

    `on_lost` is called when subscriptions are lost, and again when all are confirmed: publications in between were
    missed.
    """

    def __init__(self, redis: AnyRedis, timings: Timings, *, on_lost: Callable[[], None]) -> None:
        self._redis, self._timings, self._on_lost = redis, timings, on_lost
        self._wanted: Counter[str] = Counter()
        self._handlers: dict[str, Handler] = {}
        self._confirmed: dict[str, asyncio.Future[None]] = {}
        self._unconfirmed: set[str] = set()
        """Channels whose subscription was lost and is not confirmed again."""
        self._pending: list[str] = []
        self._has_pending = asyncio.Event()
        self._unwanted: set[str] = set()
        self._listeners: dict[Address, Listener] = {}
        self._listening: dict[Listener, asyncio.Task[None]] = {}
        self._changing = asyncio.Lock()

    # Subscriptions: `acquire` and `release` only record what is wanted. Workers send the commands to the servers.

    async def acquire(self, channels: dict[str, Handler]) -> None:
        """Subscribe to channels, and wait until all are confirmed. Each `acquire` needs a `release`."""
        loop = asyncio.get_running_loop()
        self._wanted.update(channels.keys())
        self._handlers.update(channels)
        for channel in channels:
            if channel not in self._confirmed:
                self._confirmed[channel] = loop.create_future()
                self._subscribe_soon([channel])
        waiting = [self._confirmed[channel] for channel in channels if not self._confirmed[channel].done()]
        if waiting:
            await asyncio.wait(waiting)

    def release(self, channels: Iterable[str]) -> None:
        """Unsubscribe soon from those of the channels that nobody else wants."""
        for channel in channels:
            self._wanted[channel] -= 1
            if self._wanted[channel] <= 0:
                del self._wanted[channel]
                self._unwanted.add(channel)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._stop_listening)
            for name, work, pause in (
                ("subscribe", self._subscribe_pending, 0.0),
                ("unsubscribe", self._unsubscribe_unwanted, self._timings.housekeeping),
            ):
                await stack.enter_async_context(background(name, work, pause=pause, longest=1))
            yield

    async def _subscribe_pending(self) -> None:
        """Wait for pending channels, and subscribe to each on the server that has its slot now."""
        await self._has_pending.wait()
        self._has_pending.clear()
        pending, self._pending = self._pending, []
        shards: dict[Address, list[str]] = defaultdict(list)
        try:
            for channel in pending:
                shards[await shard_of(self._redis, channel)].append(channel)
        except BaseException:
            self._subscribe_soon(pending)
            raise
        async with self._changing:
            work = (self._subscribe(address, channels) for address, channels in shards.items())
            errors = [error for error in await asyncio.gather(*work, return_exceptions=True) if error is not None]
        if errors:
            raise errors[0]

    async def _subscribe(self, address: Address, channels: list[str]) -> None:
        """Subscribe to channels on one server. If it fails, they are pending again."""
        try:
            listener = self._listeners.get(address) or await self._open(address)
            for start in range(0, len(channels), CHANNELS_PER_COMMAND):
                listener.subscribe(channels[start : start + CHANNELS_PER_COMMAND])
        except BaseException:
            self._subscribe_soon(channels)
            self._refresh_slots()
            raise

    async def _open(self, address: Address) -> Listener:
        access, by_slot = access_of(self._redis), isinstance(self._redis, Cluster)
        listener = await open_listener(address, access, partial(self._handle, address), by_slot=by_slot)
        self._listeners[address] = listener
        self._listening[listener] = asyncio.create_task(self._listen(listener), context=Context())
        return listener

    async def _listen(self, listener: Listener) -> None:
        """Handle messages until the connection is lost. Then subscribe to its channels again."""
        try:
            await listener.watch(self._timings.ping)
        except Exception as error:  # noqa: BLE001 - whatever the error is, the channels need a new subscription
            log.warning("listening to %s:%d failed: %r", *listener.address, error)
        finally:
            del self._listeners[listener.address], self._listening[listener]
            self._refresh_slots()
            self._mark_unconfirmed(listener.channels)
            listener.close()

    async def _stop_listening(self) -> None:
        while self._listening:
            tasks = list(self._listening.values())
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.5)

    def _subscribe_soon(self, channels: Iterable[str]) -> None:
        self._pending += channels
        self._has_pending.set()

    def _mark_unconfirmed(self, channels: Iterable[str]) -> None:
        """Subscribe again to channels whose subscription was lost. Callers that wait for them continue to wait."""
        known = [name for name in channels if name in self._confirmed]
        lost = [name for name in known if self._confirmed[name].done()]
        loop = asyncio.get_running_loop()
        self._unconfirmed.update(lost)
        self._confirmed |= {name: loop.create_future() for name in lost}
        if known:
            self._subscribe_soon(known)
            self._on_lost()

    def _refresh_slots(self) -> None:
        if isinstance(self._redis, Cluster):
            self._redis.rediscover()

    async def _unsubscribe_unwanted(self) -> None:
        """Unsubscribe from unwanted channels whose subscription is confirmed.

        Close the connections to servers without channels, and to servers that are no longer primaries.
        """
        async with self._changing:
            unwanted = {name for name in self._unwanted if name not in self._wanted and self._confirmed[name].done()}
            self._unwanted = {name for name in self._unwanted if name not in self._wanted} - unwanted
            for channel in unwanted:
                del self._confirmed[channel], self._handlers[channel]
            primaries = primaries_of(self._redis)
            for listener in list(self._listeners.values()):
                channels = list(listener.channels & unwanted)
                for start in range(0, len(channels), CHANNELS_PER_COMMAND):
                    listener.unsubscribe(channels[start : start + CHANNELS_PER_COMMAND])
                if not listener.channels or (primaries is not None and listener.address not in primaries):
                    self._listening[listener].cancel()

    def _handle(self, address: Address, kind: bytes, channel: str, data: Any) -> None:
        match kind:
            case b"smessage":
                self._dispatch(channel, data)
            case b"ssubscribe":
                self._confirm(channel)
            case b"sunsubscribe":
                self._check_unsubscribed(address, channel)

    def _check_unsubscribed(self, address: Address, channel: str) -> None:
        listener = self._listeners.get(address)
        if (
            listener is not None and channel in listener.channels
        ):  # nobody asked for it: its slot moved to another server
            listener.channels.discard(channel)
            self._refresh_slots()
            self._mark_unconfirmed([channel])

    def _confirm(self, channel: str) -> None:
        future = self._confirmed.get(channel)
        if future is not None and not future.done():
            future.set_result(None)
        if channel in self._unconfirmed:
            self._unconfirmed.remove(channel)
            if not self._unconfirmed:  # publications between the loss and this moment were missed
                self._on_lost()

    def _dispatch(self, channel: str, data: bytes) -> None:
        try:
            if (handler := self._handlers.get(channel)) is not None:
                handler(data)
        except Exception:
            log.exception("a message on %s could not be handled", channel)
