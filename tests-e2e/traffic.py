"""People who write and read while something breaks, as clients should: again until acknowledged, resumed when cut."""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from checker import check_reader, check_room, stored
from people import Frame, Person, Refused, Socket, sign_up
from told import tell
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from shared.testing.fixtures import eventually

PATIENCE_S = 120


class Writer:
    """Sends messages as a client should: one after the other, again with the same client_id until it is acked."""

    def __init__(self, person: Person, room_id: str) -> None:
        self.person, self.room_id = person, room_id
        self.acked: dict[str, int] = {}
        self.acked_at: dict[str, float] = {}
        self.unavailable = 0
        self.stopping = False

    async def run(self) -> None:
        socket: Socket | None = None
        for number in itertools.count():
            client_id = str(uuid.uuid4())
            while client_id not in self.acked:
                try:
                    if socket is None or socket.close_code is not None:
                        socket = await self.person.open()
                    reply = await socket.send(self.room_id, f"{number}", client_id=client_id)
                    self.acked[client_id], self.acked_at[client_id] = reply["seq"], time.monotonic()
                except Refused as refused:
                    if refused.code != "unavailable":
                        raise
                    self.unavailable += 1
                except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError, AssertionError):
                    socket = None
                    await asyncio.sleep(0.1)
            if self.stopping:
                return


class Follower:
    """Reads a room, resuming whenever the socket closes; keeps every event that it was given, from `start` on."""

    def __init__(self, person: Person, room_id: str) -> None:
        self.person, self.room_id = person, room_id
        self.start: int | None = None
        self.events: list[Frame] = []
        self.seen_at: dict[str, float] = {}
        self.reconnects = 0

    async def run(self) -> None:
        hello: Frame = {}
        while True:
            try:
                socket = await self.person.open(**hello)
                if self.start is None:
                    [room] = socket.ready["rooms"]
                    self.start = room["version"]
                await self._follow(socket)
            except (ConnectionClosed, InvalidHandshake, OSError, AssertionError, TimeoutError):
                self.reconnects += 1
                await asyncio.sleep(0.1)
            if self.start is not None:
                cursor = self.events[-1]["version"] if self.events else self.start
                hello = {"cursors": {self.room_id: cursor}, "epoch": socket.ready.get("epoch", hello.get("epoch"))}

    async def _follow(self, socket: Socket) -> None:
        taken = 0
        try:
            while True:
                await socket.until(lambda s, n=taken: len(s.events(self.room_id)) > n, seconds=3600)  # type: ignore[misc]
                events = socket.events(self.room_id)
                self._take(events[taken:])
                taken = len(events)
        finally:
            self._take(socket.events(self.room_id)[taken:])

    def _take(self, events: list[Frame]) -> None:
        self.events += events
        self.seen_at |= {event["client_id"]: time.monotonic() for event in events if "client_id" in event}


class Scene:
    """Two people in a room; two writers, four followers on both gateways."""

    def __init__(self, ana: Person, ben: Person, room_id: str) -> None:
        self.ana, self.ben, self.room_id = ana, ben, room_id
        self.writers = [Writer(ana, room_id), Writer(ben, room_id)]
        self.followers = [Follower(person, room_id) for person in (ana, ben) * 2]
        self.tasks = [asyncio.create_task(one.run()) for one in [*self.followers, *self.writers]]

    @property
    def acked(self) -> dict[str, int]:
        return {client_id: seq for writer in self.writers for client_id, seq in writer.acked.items()}

    async def more_acked(self, count: int = 20, seconds: float = 40) -> None:
        before = len(self.acked)
        await eventually(lambda: len(self.acked) >= before + count, seconds)

    def lateness(self, since: float, tolerated: float = 0.5) -> tuple[float, float]:
        """When the last reader got the last message that came late, in seconds from `since`; how late the latest came.

        A message is late when it comes longer after its acknowledgement than is tolerated.
        """
        pairs = [
            (acked_at, max(follower.seen_at[client_id] for follower in self.followers))
            for writer in self.writers
            for client_id, acked_at in writer.acked_at.items()
            if all(client_id in follower.seen_at for follower in self.followers)  # some began after the first
        ]
        late = [(seen - since, seen - acked) for acked, seen in pairs if seen > since and seen - acked > tolerated]
        return max((when for when, _ in late), default=0), max((how for _, how in late), default=0)

    def someone_saw_what_is_not_acked(self) -> bool:
        return any(event["client_id"] not in self.acked for follower in self.followers for event in follower.events)

    async def finish(self) -> None:
        """Let the writers end, wait until all followers have everything, and check it all."""
        for writer in self.writers:
            writer.stopping = True
        async with asyncio.timeout(60):
            await asyncio.gather(*self.tasks[len(self.followers) :])
        last = (await stored(self.ana, self.room_id))[-1]["seq"]

        def complete() -> bool:
            for follower in self.followers:
                seqs = [event["seq"] for event in follower.events if event["op"] == "message.created"]
                assert seqs[-1:] == [last], f"{seqs[-1:]} of {last}"
            return True

        await eventually(complete, 45)
        for follower in self.followers:
            check_reader(follower.events, follower.start or 0)
        await check_room(self.ana, self.room_id, self.acked, [follower.events for follower in self.followers])

    async def rest(self) -> None:
        """End all that runs; the two stay signed in."""
        for writer in self.writers:
            writer.stopping = True  # one whose answer comes as it is cancelled goes on to here
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def stop(self) -> None:
        await self.rest()
        await self.ana.close()
        await self.ben.close()


@asynccontextmanager
async def talking(url: str) -> AsyncIterator[Scene]:
    """Two newcomers in a direct room, who write and read while the block runs."""
    ana, ben = await sign_up(url, "ana"), await sign_up(url, "ben")
    scene = Scene(ana, ben, await ana.direct(ben))
    try:
        yield scene
    finally:
        await scene.stop()


class Watch:
    """How long one event was felt."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.since = scene, time.monotonic()

    def longest_wait(self) -> float:
        """The longest time in which a writer got no acknowledgement."""
        waits = []
        for writer in self.scene.writers:
            times = [at for at in writer.acked_at.values() if at > self.since]
            waits += [after - before for before, after in zip([self.since, *times], times, strict=False)]
        return max(waits)

    async def tell(self, what: str) -> None:
        """Wait until all write and read again, and print what it took."""
        written = [len(writer.acked) for writer in self.scene.writers]
        await eventually(
            lambda: all(len(w.acked) >= n + 10 for w, n in zip(self.scene.writers, written, strict=True)), PATIENCE_S
        )
        last = max(writer.acked_at[next(reversed(writer.acked))] for writer in self.scene.writers)
        await eventually(
            lambda: all(max(f.seen_at.values(), default=0) > last for f in self.scene.followers), PATIENCE_S
        )
        normal, _ = self.scene.lateness(self.since)
        tell(f"{what}: longest wait {self.longest_wait():.1f} s, all up to date after {normal:.1f} s")
