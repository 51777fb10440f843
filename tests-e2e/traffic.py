"""Clients that write and read during a fault: they repeat messages until acknowledged, and resume lost connections.

Every path is used: sends over sockets and HTTP, followers on both gateways, clients that disconnect and resume, pages
of history over both, and a member who reads later than the others and so has unread messages.
"""

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from checker import Page, Recording, Reload, Stream, Unread, Verdict, judge, stored
from measurements import record
from people import Frame, Person, Rejected, Socket, sign_up
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from shared.testing.fixtures import eventually

PATIENCE_S = 120
PAUSE_S = 0.05
"""The pause between two messages of a writer, which limits the load."""
RETRY_S = 0.5
"""The longest pause before another attempt, with full jitter."""
STAY_S = 1.0
"""The time after which a client that resumes on purpose disconnects."""
READ_BEHIND = 3
"""The number of messages that the later reader leaves unread."""
PAGE = 50
NO_CONNECTION = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError, AssertionError, httpx.TransportError)
AGAIN = {"unavailable", "rate_limited"}
AGAIN_STATUS = {429, 503}
"""Statuses to retry; nginx answers 503 also for 502 and 504."""


async def before_retry() -> None:
    await asyncio.sleep(random.uniform(0, RETRY_S))


async def drop(socket: Socket) -> None:
    """Drop a connection without a close frame. Safe to repeat and to cancel."""
    socket.connection.transport.abort()
    if socket._reader is not None:
        await asyncio.wait([socket._reader])


class Client:
    """A client with one socket, opened on demand."""

    def __init__(self, person: Person, room_id: str) -> None:
        self.person, self.room_id = person, room_id
        self._socket: Socket | None = None

    async def socket(self) -> Socket:
        if self._socket is None or self._socket.close_code is not None:
            self._socket = await self.person.open()
        return self._socket

    def hang_up(self) -> None:
        """Open another socket next time; the old one is closed at the end."""
        self._socket = None

    async def http(self, method: str, path: str, **options: object) -> Frame | None:
        """Send a request. Returns None if it must be repeated."""
        response = await self.person.http.request(method, f"/api{path}", **options)  # type: ignore[arg-type]
        if response.status_code in AGAIN_STATUS:
            await asyncio.sleep(min(float(response.headers.get("retry-after", 0)), 1))
            return None
        assert response.status_code in {200, 201}, (method, path, response.status_code, response.text)
        answer: Frame = response.json()
        return answer


class Writer(Client):
    """Sends messages one after the other, repeating each with the same client_id until it is acknowledged."""

    def __init__(self, person: Person, room_id: str) -> None:
        super().__init__(person, room_id)
        self.acked: dict[str, int] = {}
        self.acked_at: dict[str, float] = {}
        self.pending = ""
        self.unavailable = 0
        self.stopping = False

    async def run(self) -> None:
        for number in itertools.count():
            self.pending = client_id = str(uuid.uuid4())
            while client_id not in self.acked:
                if (seq := await self._try(client_id, f"{number}")) is not None:
                    self.acked[client_id], self.acked_at[client_id] = seq, time.monotonic()
            if self.stopping:
                return
            await asyncio.sleep(PAUSE_S)

    async def _try(self, client_id: str, body: str) -> int | None:
        """Send it once. Returns its seq, or None if the outcome is unknown."""
        try:
            reply = await (await self.socket()).send(self.room_id, body, client_id=client_id)
        except Rejected as rejected:
            if rejected.code not in AGAIN:
                raise
            self.unavailable += 1
        except NO_CONNECTION:
            self.hang_up()
            await before_retry()
        else:
            return int(reply["seq"])
        return None


class HttpWriter(Writer):
    """A writer over HTTP, like a program without a socket."""

    async def _try(self, client_id: str, body: str) -> int | None:
        message = {"client_id": client_id, "body": body}
        try:
            reply = await self.http("POST", f"/rooms/{self.room_id}/messages", json=message)
        except httpx.TransportError:
            await before_retry()
            return None
        self.unavailable += reply is None
        return None if reply is None else int(reply["seq"])


class Follower(Client):
    """Follows a room, resuming whenever the socket closes, and records every received event."""

    def __init__(self, person: Person, room_id: str, stay_s: float | None = None) -> None:
        super().__init__(person, room_id)
        self.stream: Stream | None = None
        self.version = 0
        self.last_seq = 0
        self.seen_at: dict[str, float] = {}
        self.reconnects = 0
        self.resumed = 0
        self._stay_s = stay_s

    async def run(self) -> None:
        hello: Frame = {}
        while True:
            follows = False
            try:
                socket = await self.person.open(**hello)
                hello["epoch"] = socket.ready["epoch"]
                if self.stream is None:
                    self.version = _in_list(socket.ready["rooms"], self.room_id)["version"]
                    self.stream = Stream(self.version)
                follows = True
                await self._stay(socket)
            except NO_CONNECTION:
                self.reconnects += follows
                await before_retry()
            if self.stream is not None:
                hello["cursors"] = {self.room_id: self.version}

    async def _stay(self, socket: Socket) -> None:
        """Follow until the connection is lost, or until it is time to drop it."""
        following = asyncio.create_task(self._follow(socket))
        try:
            await asyncio.wait([following], timeout=self._stay_s)
        finally:
            following.cancel()
            [outcome] = await asyncio.gather(following, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome
        await drop(socket)
        self.resumed += 1

    async def _follow(self, socket: Socket) -> None:
        taken = 0
        while True:
            frames = socket.received[taken:]
            for frame in frames:
                await self._take(frame)
            taken += len(frames)
            if not frames:
                await socket.until(lambda s, n=taken: len(s.received) > n, seconds=3600)  # type: ignore[misc]

    async def _take(self, frame: Frame) -> None:
        if frame.get("room_id") != self.room_id:
            return
        if frame["op"] == "room.reset":
            await self._reload()
        elif "version" in frame:
            self._record(frame, frame["version"], [frame] if frame["op"] == "message.created" else [])

    async def _reload(self) -> None:
        """Load the newest page and earlier ones, back to the last known message."""
        messages: list[Frame] = []
        version = 0
        while not messages or messages[0]["seq"] > self.last_seq + 1:
            choice = {"limit": PAGE} | ({"before": messages[0]["seq"]} if messages else {})
            page = await self.http("GET", f"/rooms/{self.room_id}/messages", params=choice)
            if page is None:
                continue
            version = version or page["version"]
            messages = page["items"] + messages
            if not page["has_more"]:
                break
        self._record(Reload(version, messages), version, messages)

    def _record(self, step: Frame | Reload, version: int, messages: Sequence[Frame]) -> None:
        assert self.stream is not None
        self.stream.steps.append(step)
        self.version = version if isinstance(step, Reload) else max(self.version, version)
        self.last_seq = max([self.last_seq, *(message["seq"] for message in messages)])
        self.seen_at |= {message["client_id"]: time.monotonic() for message in messages}


class PageReader(Client):
    """Loads pages of history, over HTTP and a socket in turn: the newest, then the one before it.

    Over HTTP the newest page has all acknowledged messages. Over a socket it is as new as the events on that socket.
    """

    def __init__(self, person: Person, room_id: str, writers: Sequence[Writer]) -> None:
        super().__init__(person, room_id)
        self.pages: list[Page] = []
        self.stopping = False
        self._writers = writers

    async def run(self) -> None:
        for ask in itertools.cycle((self._ask_http, self._ask_socket)):
            if self.stopping:
                return
            acked = max((seq for writer in self._writers for seq in writer.acked.values()), default=0)
            if (newest := await ask()) is not None:
                self.pages.append(Page(newest, acked if ask == self._ask_http else 0))
                if newest and newest[0] > 1 and (older := await ask(newest[0])) is not None:
                    self.pages.append(Page([*older, newest[0]]))
            await asyncio.sleep(4 * PAUSE_S)

    async def _ask_http(self, before: int | None = None) -> list[int] | None:
        choice = {"limit": PAGE} | ({} if before is None else {"before": before})
        try:
            page = await self.http("GET", f"/rooms/{self.room_id}/messages", params=choice)
        except httpx.TransportError:
            return None
        return None if page is None else [message["seq"] for message in page["items"]]

    async def _ask_socket(self, before: int | None = None) -> list[int] | None:
        choice = {"limit": PAGE} | ({} if before is None else {"before": before})
        try:
            page = await (await self.socket()).ask("message.list", room_id=self.room_id, **choice)
        except Rejected as rejected:
            if rejected.code not in AGAIN:
                raise
            return None
        except NO_CONNECTION:
            self.hang_up()
            return None
        return [message["seq"] for message in page["messages"]]


class Reader(Client):
    """Marks messages as read, a few behind the newest that a follower has received."""

    def __init__(self, follower: Follower) -> None:
        super().__init__(follower.person, follower.room_id)
        self.read_seq = 0
        self.stopping = False
        self._follower = follower

    async def run(self) -> None:
        while not self.stopping:
            seq = self._follower.last_seq - READ_BEHIND
            if seq > self.read_seq:
                await self._read(seq)
            await asyncio.sleep(4 * PAUSE_S)

    async def _read(self, seq: int) -> None:
        """Repeat until it is acknowledged, so that the member's read cursor is known."""
        while self.read_seq < seq:
            try:
                await (await self.socket()).ask("room.read", room_id=self.room_id, seq=seq)
                self.read_seq = seq
            except Rejected as rejected:
                if rejected.code not in AGAIN:
                    raise
                await before_retry()
            except NO_CONNECTION:
                self.hang_up()
                await before_retry()


def _in_list(rooms: Sequence[Frame], room_id: str) -> Frame:
    found = [room for room in rooms if room["room_id"] == room_id]
    assert found, f"{room_id} is not in the room list"
    return found[0]


class Scene:
    """Members of a room: two write and follow on both gateways; an optional third one reads later."""

    def __init__(self, ana: Person, ben: Person, room_id: str, cho: Person | None = None) -> None:
        self.ana, self.ben, self.cho, self.room_id = ana, ben, cho, room_id
        pair = (ana, ben)
        self.socket_writers = [Writer(person, room_id) for person in pair]
        self.writers = [*self.socket_writers, *(HttpWriter(person, room_id) for person in pair)]
        self.followers = [Follower(person, room_id) for person in (*pair, *pair, *([cho] if cho else []))]
        self.resumers = [Follower(person, room_id, STAY_S) for person in pair]
        self.pages = PageReader(ben, room_id, self.writers)
        self.reader = Reader(self.followers[-1]) if cho else None
        self._following = [asyncio.create_task(one.run()) for one in (*self.followers, *self.resumers)]
        self._paging = asyncio.create_task(self.pages.run())
        self._reading = [asyncio.create_task(self.reader.run())] if self.reader else []
        self._writing = [asyncio.create_task(self._write(writer)) for writer in self.writers]

    @classmethod
    async def of(cls, ana: Person, ben: Person, cho: Person) -> "Scene":
        """Create a group for the three."""
        return cls(ana, ben, await ana.group("Traffic", ben, cho), cho)

    async def _write(self, writer: Writer) -> None:
        """Write once all followers are connected, because each must receive everything."""
        await eventually(lambda: all(one.stream for one in (*self.followers, *self.resumers)), PATIENCE_S)
        await writer.run()

    @property
    def acked(self) -> dict[str, int]:
        return {client_id: seq for writer in self.writers for client_id, seq in writer.acked.items()}

    @property
    def reconnects(self) -> int:
        """The number of lost connections of the followers."""
        return sum(follower.reconnects for follower in self.followers)

    async def more_acked(self, count: int = 20, seconds: float = 40) -> None:
        before = len(self.acked)
        await eventually(lambda: len(self.acked) >= before + count, seconds)

    async def each_acked(self, count: int = 2, seconds: float = 40) -> None:
        """Wait until every writer has got acknowledgements, over sockets and over HTTP."""
        before = [len(writer.acked) for writer in self.writers]
        await eventually(
            lambda: all(len(w.acked) >= n + count for w, n in zip(self.writers, before, strict=True)), seconds
        )

    def lateness(self, since: float, tolerated: float = 0.5) -> tuple[float, float]:
        """Return when the last late message arrived, in seconds from `since`, and the largest delay.

        A message is late if it arrives more than `tolerated` seconds after its acknowledgement.
        """
        pairs = [
            (acked_at, max(follower.seen_at[client_id] for follower in self.followers))
            for writer in self.writers
            for client_id, acked_at in writer.acked_at.items()
            if all(
                client_id in follower.seen_at for follower in self.followers
            )  # some followers started after the first message
        ]
        late = [(seen - since, seen - acked) for acked, seen in pairs if seen > since and seen - acked > tolerated]
        return max((when for when, _ in late), default=0), max((how for _, how in late), default=0)

    def someone_saw_what_is_not_acked(self) -> bool:
        """Return whether a follower received a message of each socket writer that still waits for its answer."""
        return all(any(w.pending in f.seen_at for f in self.followers) for w in self.socket_writers)

    async def conclude(self) -> Verdict:
        """Stop the writers, wait until all followers have everything, and judge the recordings."""
        for writer in self.writers:
            writer.stopping = True
        if self.reader:
            self.reader.stopping = True
        async with asyncio.timeout(60):
            await asyncio.gather(*self._writing, *self._reading)
        self.pages.stopping = True
        self._paging.cancel()
        [ended] = await asyncio.gather(self._paging, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended
        history = await eventually(lambda: stored(self.ana, self.room_id), 30)
        head = (await self.ana.call("GET", f"/rooms/{self.room_id}"))["version"]
        streams = (*self.followers, *self.resumers)
        await _within(45, lambda: all(one.version >= head for one in streams))
        recording = Recording(
            acked=self.acked,
            history=history,
            head=head,
            streams=[one.stream for one in streams if one.stream is not None],
            pages=self.pages.pages,
            unread=await self._unread(history),
            acked_at=[list(writer.acked_at.values()) for writer in self.writers],
        )
        return judge(recording)

    async def _unread(self, history: Sequence[Frame]) -> list[Unread]:
        """Return each member's unread count, from HTTP and new sockets on both gateways, once these agree."""
        last = history[-1]["seq"]
        read = {
            one: max((m["seq"] for m in history if m["sender_id"] == one.id), default=0) for one in (self.ana, self.ben)
        }
        if self.cho and self.reader:
            read[self.cho] = self.reader.read_seq
        found: list[Unread] = []

        async def agrees() -> bool:
            found[:] = [Unread(seq, count) for person, seq in read.items() for count in await self._counts(person)]
            return all(one.count == last - one.read_seq for one in found)

        await _within(10, agrees)
        return found

    async def _counts(self, person: Person) -> list[int]:
        sockets = [await person.open() for _ in range(2)]
        lists = [(await person.call("GET", "/rooms"))["items"], *(socket.ready["rooms"] for socket in sockets)]
        for socket in sockets:
            await socket.close()
        return [_in_list(rooms, self.room_id)["unread"] for rooms in lists]

    async def finish(self) -> Verdict:
        """Conclude, and assert that every guarantee was kept."""
        verdict = await self.conclude()
        assert not verdict.broken, verdict
        assert set(verdict.received) == {verdict.stored}, verdict
        return verdict

    async def rest(self) -> None:
        """Stop all clients; the members stay signed in."""
        for writer in self.writers:
            writer.stopping = True  # a writer whose answer arrives during its cancellation reaches this check
        self.pages.stopping = True
        tasks = [*self._following, self._paging, *self._reading, *self._writing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for person in (self.ana, self.ben, *([self.cho] if self.cho else [])):
            for socket in person.sockets:
                await drop(socket)
            person.sockets.clear()

    async def stop(self) -> None:
        await self.rest()
        for person in (self.ana, self.ben, *([self.cho] if self.cho else [])):
            await person.close()


async def _within(seconds: float, check: Callable[[], Any]) -> None:
    """Wait at most `seconds`: the judge counts what is missing then."""
    with suppress(AssertionError):
        await eventually(check, seconds)


@asynccontextmanager
async def talking(url: str) -> AsyncIterator[Scene]:
    """Run traffic of three new users in a group while the block runs."""
    scene = await Scene.of(*[await sign_up(url, name) for name in ("ana", "ben", "cho")])
    try:
        yield scene
    finally:
        await scene.stop()


class Watch:
    """Measures the effect of one event on users."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.since = scene, time.monotonic()

    def longest_wait(self) -> float:
        """Return the longest time without an acknowledgement of a writer."""
        waits = []
        for writer in self.scene.writers:
            times = [at for at in writer.acked_at.values() if at > self.since]
            waits += [after - before for before, after in zip([self.since, *times], times, strict=False)]
        return max(waits)

    async def record(self, what: str) -> None:
        """Wait until all clients write and read again, and record how long it took."""
        written = [len(writer.acked) for writer in self.scene.writers]
        await eventually(
            lambda: all(len(w.acked) >= n + 10 for w, n in zip(self.scene.writers, written, strict=True)), PATIENCE_S
        )
        last = max(writer.acked_at[next(reversed(writer.acked))] for writer in self.scene.writers)
        await eventually(
            lambda: all(max(f.seen_at.values(), default=0) > last for f in self.scene.followers), PATIENCE_S
        )
        normal, _ = self.scene.lateness(self.since)
        record(f"{what}: longest wait {self.longest_wait():.1f} s, all up to date after {normal:.1f} s")
