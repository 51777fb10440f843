"""A whole gateway in any interleaving: clients come, resume and go, users join and leave, publications get lost."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.roomlog.frames import batch_events, payload_of, publication_header, split_frames
from shared.roomlog.keys import live_channel
from shared.tasks import background

from ..harness import FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service

USERS = ["minji", "junho", "sora"]
ROOMS = 2
CLIENTS = 3
ROUNDS, TURNS = 60, 15
"""Rounds of recovery, and turns of the loop in each: a room that is always marked dirty is never repaired."""


class ModelClient:
    """A client that checks what it receives, and resumes where it stopped. `rooms` maps rooms to their version.

    The version is None after `room.reset`, when the client loads a page, until the next event.
    """

    def __init__(self, world: "World", user_id: str) -> None:
        self.world, self.user_id, self.epoch = world, user_id, ""
        self.rooms: dict[str, int | None] = {}
        self.cursors: dict[str, int] = {}
        """The cursors of the last `hello`."""
        self.resets: set[str] = set()
        """Rooms that must be reset, because the log of the cursor is another one."""
        self.connection: FakeClient | None = None
        self.log: list[dict[str, Any]] = []

    def connect(self) -> None:
        self.cursors = {room_id: version for room_id, version in self.rooms.items() if version is not None}
        client = self.connection = self.world.harness.client(self.user_id)
        client.transport.push = self.receive  # type: ignore[method-assign]
        client.connection.push = client.connection.push_droppable = self.receive
        client.transport.enqueue = self.receive  # type: ignore[method-assign]
        client.send("hello", cursors=self.cursors, **({"epoch": self.epoch} if self.epoch else {}))

    def disconnect(self) -> None:
        if self.connection is not None:
            self.connection.disconnect()
            self.connection.transport.close(1001, "gone")
            self.connection = None

    def receive(self, data: bytes) -> None:
        if self.connection is not None and self.connection.transport.closed is None:
            for frame in split_frames(data):
                self.handle(json.loads(payload_of(frame)))

    def handle(self, frame: dict[str, Any]) -> None:
        """Apply a frame. A frame that must not come is noted, because the gateway logs what a handler raises."""
        self.log.append(frame)
        room_id, version = frame.get("room_id"), frame.get("version")
        match frame["op"]:
            case "ready":
                heads = {room["room_id"]: room["version"] for room in frame["rooms"]}
                self.rooms = {room_id: self.rooms.get(room_id) or head for room_id, head in heads.items()}
                self.resets = set() if frame["epoch"] == self.epoch else self.rooms.keys() & self.cursors.keys()
                self.epoch = frame["epoch"]
            case "room.added":
                self.rooms[frame["room"]["room_id"]] = frame["room"]["version"]
            case _ if room_id is None:
                return
            case _ if room_id not in self.rooms:
                self.world.problems.append((self.user_id, self.log))
            case "room.removed":
                del self.rooms[room_id]
                self.resets.discard(room_id)
            case "room.reset":
                self.rooms[room_id] = None
                self.resets.discard(room_id)
            case _ if version is not None:
                if room_id in self.resets or self.rooms[room_id] not in {None, version - 1}:
                    self.world.problems.append((self.user_id, self.log))
                self.rooms[room_id] = version

    @property
    def is_up_to_date(self) -> bool:
        """True if the client has all events of exactly the rooms of its user."""
        rooms = {room_id: room for room_id, room in self.world.rooms.items() if self.user_id in room.memberships}
        return self.rooms.keys() == rooms.keys() and all(
            self.rooms[room_id] in {None, room.version} for room_id, room in rooms.items()
        )


class World:
    """A gateway with its services, and the steps that can happen to it."""

    def __init__(self) -> None:
        self.harness = GatewayHarness()
        self.problems: list[Any] = []
        self.rooms = self.harness.rooms.rooms
        self.room_ids = [self.harness.rooms.create(*USERS[:2]) for _ in range(ROOMS)]
        self.clients = [ModelClient(self, USERS[number % len(USERS)]) for number in range(CLIENTS + 1)]
        self.steps: dict[str, Callable[[int], None]] = {
            "message": lambda n: self.change(n, self.send, publish=True),
            "lost message": lambda n: self.change(n, self.send, publish=False),
            "enter or leave": lambda n: self.change(n, self.toggle(n), publish=bool(n % 2)),
            "notify": lambda n: self.harness.gateway.user_sync.user_changed(USERS[n % len(USERS)]),
            "connect": self.connect,
            "lose": lambda n: self.client(n).disconnect(),
            "be slow": lambda n: self.with_connection(n, lambda one: one.transport.writable.clear()),
            "read again": lambda n: self.with_connection(n, lambda one: one.transport.writable.set()),
            "too slow": lambda n: self.with_connection(n, lambda one: one.transport.close(4308, "too slow")),
            "shut down": lambda _: self.shut_down(),
            "repair": lambda n: self.harness.gateway.live_rooms.feed.mark_dirty(self.room(n)),
            "trim": lambda n: self.harness.rooms.forget_events(self.room(n)),
            "pause": lambda n: self.harness.rooms.pause(("events", "homes", "places")[n % 3]),
            "resume": lambda n: self.harness.rooms.resume(("events", "homes", "places")[n % 3]),
            "epoch": lambda _: setattr(self.harness.rooms, "epoch", f"{self.harness.rooms.epoch}+"),
        }

    def client(self, n: int) -> ModelClient:
        return self.clients[n % len(self.clients)]

    def room(self, n: int) -> str:
        return self.room_ids[n % ROOMS]

    def with_connection(self, n: int, act: Callable[[FakeClient], None]) -> None:
        if (connection := self.client(n).connection) is not None:
            act(connection)

    def connect(self, n: int) -> None:
        self.client(n).disconnect()
        self.client(n).connect()

    def shut_down(self) -> None:
        """Close all sockets, as a stopping gateway does; clients come back to the next one."""
        for n in range(len(self.clients)):
            self.with_connection(n, lambda one: one.transport.close(1001, "the gateway restarts"))

    def send(self, room_id: str) -> None:
        self.harness.rooms.add_message(room_id, USERS[0])

    def toggle(self, n: int) -> Callable[[str], None]:
        user_id = USERS[n // ROOMS % len(USERS)]

        def enter_or_leave(room_id: str) -> None:
            is_member = user_id in self.rooms[room_id].memberships
            (self.harness.rooms.remove if is_member else self.harness.rooms.add)(room_id, user_id)

        return enter_or_leave

    def change(self, n: int, act: Callable[[str], None], *, publish: bool) -> None:
        """Change a room, and publish its newest event."""
        room_id = self.room(n)
        act(room_id)
        room = self.rooms[room_id]
        if publish:
            [batch] = batch_events(room.events[-1:])
            data = publication_header(batch.first, batch.last, batch.flags) + b"".join(batch.frames)
            self.harness.deliver(live_channel(self.harness.rooms.epoch, room_id), data)

    async def settle(self) -> None:
        """Let everything recover: services answer, slow clients read, closed clients connect again."""
        for path in ("events", "homes", "places"):
            self.harness.rooms.resume(path)
        live_rooms = self.harness.gateway.live_rooms
        for _ in range(ROUNDS):
            for client in self.clients:
                self.recover(client)
            live_rooms.feed.mark_dirty(*live_rooms.hub.rooms)
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if all(self.is_settled(client) for client in self.clients):
                return
        raise AssertionError([(one.user_id, one.rooms, one.connection) for one in self.clients])

    def recover(self, client: ModelClient) -> None:
        if client.connection is None or client.connection.transport.closed is not None:
            client.disconnect()
            client.connect()
        assert client.connection is not None
        client.connection.transport.writable.set()
        self.harness.gateway.user_sync.user_changed(client.user_id)

    def is_settled(self, client: ModelClient) -> bool:
        gateway, connection = self.harness.gateway, client.connection
        return (
            connection is not None
            and connection.connection.live
            and client.epoch == connection.connection.epoch == self.harness.rooms.epoch
            and not client.resets
            and not gateway.tasks.of(connection.connection)
            and gateway.live_rooms.subscriptions.of(connection.connection).keys() == client.rooms.keys()
            and all(gateway.live_rooms.subscriptions.receives(connection.connection, one) for one in client.rooms)
            and client.is_up_to_date
        )

    @property
    def registries(self) -> list[Any]:
        """Return everything that a gateway knows about connections, users and rooms."""
        gateway = self.harness.gateway
        live_rooms, presence = gateway.live_rooms, gateway.presence
        return [
            gateway.connections.users, live_rooms.hub.rooms, live_rooms.subscriptions._rooms,
            +live_rooms.subscriber._wanted, presence._connections, presence._watchers, gateway.tasks._tasks,
        ]  # fmt: skip


STEPS = [
    "message", "lost message", "enter or leave", "notify", "connect", "lose", "be slow", "read again", "too slow",
    "shut down", "repair", "trim", "pause", "resume", "epoch",
]  # fmt: skip


async def run(steps: list[tuple[str, int, int]]) -> None:
    world = World()
    gateway = world.harness.gateway
    async with (
        world.harness.running(),
        background("changes", gateway.user_sync.changed.run, pause=0, longest=0.001),
        background("starts", gateway.user_sync.started.run, pause=0, longest=0.001),
    ):
        for client in world.clients:
            client.connect()
        for name, number, turns in steps:
            world.steps[name](number)
            for _ in range(turns):
                await asyncio.sleep(0)
        await world.settle()
        assert world.problems == []
        for client in world.clients:
            client.disconnect()
        for _ in range(5):
            await asyncio.sleep(0)
        assert [len(registry) for registry in world.registries] == [0] * len(world.registries)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 11), st.integers(0, 12)), max_size=40))
def test_clients_get_each_event_of_their_rooms_once_and_leave_nothing_behind(steps: list[tuple[str, int, int]]):
    asyncio.run(run(steps))
