"""Connections in rooms: memberships, channels and readers begin and end together, in any interleaving."""

import asyncio
import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, precondition, rule

from chat_gateway.hub import Hub
from chat_gateway.protocol.connection import Connection
from chat_gateway.room_feed import RoomFeed
from chat_gateway.room_subscriptions import RoomSubscriptions
from chat_gateway.subscriber import Subscriber
from shared.contracts.rooms import Membership
from shared.events.rooms import MemberLeft, MessageDeleted, RoomEvent
from shared.roomlog.frames import (
    batch_events,
    event_frame,
    parse_publication,
    payload_of,
    publication_header,
    split_frames,
)
from shared.roomlog.keys import live_channel
from shared.web.overload import Overload

from ..harness import QUICK, FakeTransport, new_connection  # noqa: TID252 - the tests of one service

ROOMS = ["kitchen", "garden"]
USERS = ["minji", "junho"]
SOME_ROOMS = st.lists(st.sampled_from(ROOMS), unique=True)


class Recorder(FakeTransport):
    """A transport that records versions of rooms. A slow one closes at the next write, as a socket does."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, list[int]] = {room_id: [] for room_id in ROOMS}
        self.slow = False

    def push(self, data: bytes) -> None:
        if self.slow:
            self.close(4308, "reading too slowly")
        if self.closed is None:
            for frame in split_frames(data):
                event = json.loads(payload_of(frame))
                if "version" in event:
                    self.versions[event["room_id"]].append(event["version"])


class SubscriptionsMachine(RuleBasedStateMachine):
    """Rooms with a log each. `expected` has the versions that each reader must have got, unless it was slow."""

    connections = Bundle("connections")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.epoch = "epoch-1"
        self.logs: dict[str, list[RoomEvent]] = {room_id: [] for room_id in ROOMS}
        self.open: list[Connection] = []
        self.joins: list[asyncio.Task[None]] = []
        self.expected: dict[Connection, dict[str, list[int]]] = {}
        self.loop.run_until_complete(self.build())

    async def build(self) -> None:
        redis: Any = None
        loader: Any = None
        self.hub = Hub(lambda: None, self.removed)
        self.subscriber = Subscriber(redis, QUICK, on_lost=lambda: None)
        calm = Overload(ephemeral_at=1, history_at=1)
        feed = RoomFeed(self.hub, loader, calm, QUICK, on_reset=lambda *_: None)
        self.subscriptions = RoomSubscriptions(self.hub, self.subscriber, feed)

    def removed(self, connection: Connection, room_id: str) -> None:
        self.subscriptions.leave(connection, room_id)

    # Connections

    @initialize(target=connections)
    def first(self) -> Connection:
        return self.connect(USERS[0], ROOMS)

    @rule(target=connections, user_id=st.sampled_from(USERS), room_ids=SOME_ROOMS)
    def connect(self, user_id: str, room_ids: list[str]) -> Connection:
        connection = new_connection(Recorder(), user_id)
        connection.epoch = self.epoch
        self.open.append(connection)
        self.expected[connection] = {room_id: [] for room_id in ROOMS}
        self.join(connection, room_ids)
        for room_id in room_ids:
            self.deliver(connection, room_id, 0)
        return connection

    @precondition(lambda self: len(self.open) > 2)
    @rule(connection=consumes(connections))
    def disconnect(self, connection: Connection) -> None:
        self.subscriptions.leave_all(connection)
        if connection in self.open:
            self.open.remove(connection)

    @rule(connection=connections)
    def become_slow(self, connection: Connection) -> None:
        connection.transport.slow = True  # type: ignore[attr-defined]

    @precondition(lambda self: len(self.open) > 4)
    @rule()
    def change_the_epoch(self) -> None:
        """All connections end, as `Connections.close_all` does it."""
        self.epoch = f"{self.epoch}+"
        while self.open:
            self.disconnect(self.open[0])

    # Rooms

    @rule(connection=connections, room_ids=SOME_ROOMS)
    def join(self, connection: Connection, room_ids: list[str]) -> None:
        """Join rooms, again or for the first time. The channels are not confirmed yet."""
        if connection in self.open:
            memberships = {
                room_id: Membership(since=len(self.logs[room_id]), joined_version=0, joined_seq=0, muted=False)
                for room_id in room_ids
            }
            self.joins.append(self.loop.create_task(self.subscriptions.join(connection, memberships)))
            self.turn()

    @rule(connection=connections, room_id=st.sampled_from(ROOMS), after=st.integers(-1, 1))
    def deliver(self, connection: Connection, room_id: str, after: int) -> None:
        """Deliver from about the hub's version, or from the head of a room without readers."""
        version = self.hub.version_of(room_id)
        cursor = len(self.logs[room_id]) if version is None else version + after
        was_reading = self.subscriptions.receives(connection, room_id)
        joined = self.subscriptions.deliver_from(connection, room_id, cursor)
        is_member = self.subscriptions.membership(connection, room_id) is not None
        assert joined == (is_member and (version is None or after == 0))
        assert self.subscriptions.receives(connection, room_id) == (joined or was_reading)

    @rule(connection=connections, room_id=st.sampled_from(ROOMS))
    def leave(self, connection: Connection, room_id: str) -> None:
        was_member = room_id in self.subscriptions.of(connection)
        assert self.subscriptions.leave(connection, room_id) == was_member
        assert not self.subscriptions.receives(connection, room_id)

    @rule()
    def confirm(self) -> None:
        """The server confirms all subscriptions."""
        for channel in self.subscriber._confirmed:
            self.subscriber._confirm(channel)
        self.turn()

    # Events

    @rule(room_id=st.sampled_from(ROOMS), left=st.sampled_from([None, None, *USERS]), published=st.booleans())
    def happen(self, room_id: str, left: str | None, published: bool) -> None:
        """Something happens in a room: a message is deleted, or somebody leaves. Publications may get lost."""
        log, version = self.logs[room_id], len(self.logs[room_id]) + 1
        if left is None:
            log.append(MessageDeleted(room_id=room_id, version=version, at="t", seq=1, by="b"))
        else:
            log.append(MemberLeft(room_id=room_id, version=version, at="t", user_id=left, by=left))
        if published:
            [batch] = batch_events(log[-1:])
            header = publication_header(batch.first, batch.last, batch.flags)
            self.receive(room_id, lambda: self.publish(room_id, header + b"".join(batch.frames)))

    @rule(room_id=st.sampled_from(ROOMS))
    def repair(self, room_id: str) -> None:
        version = self.hub.version_of(room_id)
        if version is not None:
            frames = list(map(event_frame, self.logs[room_id][version:]))
            self.receive(room_id, lambda: self.hub.receive_frames(room_id, version + 1, frames))

    def publish(self, room_id: str, data: bytes) -> None:
        """Publish on the channel if it is subscribed here."""
        if live_channel(self.epoch, room_id) in self.subscriber._handlers:
            self.hub.receive(room_id, parse_publication(data))

    def receive(self, room_id: str, deliver: Any) -> None:
        """Deliver events, and expect that each reader gets those up to its user's departure."""
        room, before = self.hub.rooms.get(room_id), self.hub.version_of(room_id) or 0
        readers = [] if room is None else list(room.readers.items())
        deliver()
        after = before if room is None else room.version
        for reader, since in readers:
            for event in self.logs[room_id][before:after]:
                self.expected[reader][room_id].append(event.version)
                if isinstance(event, MemberLeft) and event.user_id == reader.user_id and since < event.version:
                    assert not self.subscriptions.receives(reader, room_id)
                    assert self.subscriptions.membership(reader, room_id) is None
                    break

    @rule()
    def flush(self) -> None:
        self.hub.flush()

    def turn(self) -> None:
        self.loop.run_until_complete(asyncio.sleep(0))

    def teardown(self) -> None:
        """Every reader got each event exactly once, in order. When all have left, nothing is registered any more."""
        self.hub.flush()
        for connection, rooms in self.expected.items():
            recorder: Any = connection.transport
            for room_id, versions in rooms.items():
                got = recorder.versions[room_id]
                assert got == (versions if recorder.closed is None else versions[: len(got)])
        for connection in list(self.open):
            self.subscriptions.leave_all(connection)
        self.confirm()
        assert all(join.done() for join in self.joins)
        assert (self.hub.rooms, self.subscriptions._rooms, +self.subscriber._wanted) == ({}, {}, {})
        self.loop.close()


SubscriptionsMachine.TestCase.settings = settings(deadline=None, max_examples=25, stateful_step_count=40)
TestSubscriptions = SubscriptionsMachine.TestCase
