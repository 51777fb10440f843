"""A connection driven by frames and times alone: any interleaving of frames, answers, lookups of media and `ready`."""

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.effects import Attach, Effect, Perform, Start
from shared.ids import new_id

from ..harness import FakeTransport, new_connection  # noqa: TID252 - the tests of one service

ROOMS = [new_id(), new_id()]
UNANSWERED = 4


class ConnectionMachine(RuleBasedStateMachine):
    """Frames carry a number as id. Those of a room that are commands must be performed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.connection: Connection = new_connection(FakeTransport(), rates=False, unanswered=UNANSWERED)
        self.commands: dict[str, list[str]] = {room_id: [] for room_id in ROOMS}
        """Room → ids of its commands, in the order of the client."""
        self.queries: set[str] = set()
        self.performed: dict[str, list[str]] = {room_id: [] for room_id in ROOMS}
        """Room → ids of its commands, in the order in which rooms gets them."""
        self.answered_queries: set[str] = set()
        self.unanswered: list[str] = []
        self.looked_up: list[tuple[str, str]] = []
        """Messages whose attachments are looked up: room and id."""
        self.sent = 0

    def send(self, op: str, **fields: Any) -> str:
        self.sent += 1
        self.connection.receive(json.dumps({"op": op, "id": f"{self.sent}"} | fields).encode())
        return f"{self.sent}"

    def run(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Attach(frame=frame):
                    assert self.connection.handshake_done
                    self.looked_up.append((frame.room_id, frame.id or ""))
                case Perform(frame=frame):
                    assert self.connection.handshake_done
                    self.perform(frame.id or "", getattr(frame, "room_id", ""))
                case Start():
                    assert not self.connection.handshake_done
                case _:
                    raise AssertionError(effect)

    def perform(self, frame_id: str, room_id: str) -> None:
        self.unanswered.append(frame_id)
        if frame_id in self.queries:
            self.answered_queries.add(frame_id)
        else:
            self.performed[room_id].append(frame_id)

    @precondition(lambda self: not self.sent)
    @rule()
    def hello(self) -> None:
        self.send("hello")

    @precondition(lambda self: self.connection.hello_received)
    @rule()
    def ready(self) -> None:
        self.connection.handshake_done = True

    @precondition(lambda self: self.sent)
    @rule(room_id=st.sampled_from(ROOMS), attachments=st.booleans())
    def message(self, room_id: str, attachments: bool) -> None:
        ids = [new_id()] if attachments else []
        frame_id = self.send("message.send", room_id=room_id, client_id=new_id(), body="x", attachment_ids=ids)
        self.commands[room_id].append(frame_id)

    @precondition(lambda self: self.sent)
    @rule(room_id=st.sampled_from(ROOMS))
    def query(self, room_id: str) -> None:
        """A query overtakes deferred commands."""
        self.queries.add(self.send("room.exit", room_id=room_id))

    @rule()
    def process(self) -> None:
        self.run(self.connection.next_effects(0.0))

    @precondition(lambda self: self.unanswered)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        waited = self.connection.full and self.connection.has_received
        self.unanswered.remove(data.draw(st.sampled_from(self.unanswered)))
        assert self.connection.answered() == waited

    @precondition(lambda self: self.looked_up)
    @rule(data=st.data())
    def found_attachments(self, data: st.DataObject) -> None:
        room_id, frame_id = data.draw(st.sampled_from(self.looked_up))
        self.looked_up.remove((room_id, frame_id))
        self.perform(frame_id, room_id)
        self.run(self.connection.resume(room_id))

    @invariant()
    def counts_what_is_unanswered(self) -> None:
        deferred = sum(map(len, self.connection.deferred.values()))
        assert self.connection.unanswered == len(self.unanswered) + len(self.looked_up) + deferred
        assert self.connection.unanswered <= UNANSWERED

    @invariant()
    def defers_only_behind_a_lookup(self) -> None:
        assert self.connection.deferred.keys() == {room_id for room_id, _ in self.looked_up}
        assert len(self.connection.deferred) == len(self.looked_up)

    @invariant()
    def keeps_the_order_of_commands(self) -> None:
        for room_id, sent in self.commands.items():
            assert self.performed[room_id] == sent[: len(self.performed[room_id])]

    def teardown(self) -> None:
        """Whatever happened: once everything is answered, every frame was performed exactly once."""
        while self.unanswered or self.looked_up or self.connection.has_received:
            self.connection.handshake_done = self.connection.hello_received
            self.run(self.connection.next_effects(0.0))
            while self.unanswered:
                self.unanswered.pop()
                self.connection.answered()
            if self.looked_up:
                room_id, frame_id = self.looked_up.pop(0)
                self.perform(frame_id, room_id)
                self.run(self.connection.resume(room_id))
        assert (self.performed, self.answered_queries) == (self.commands, self.queries)
        assert (self.connection.unanswered, self.connection.deferred) == (0, {})


ConnectionMachine.TestCase.settings = settings(deadline=None, max_examples=25, stateful_step_count=40)
TestConnection = ConnectionMachine.TestCase


def test_an_ended_connection_ignores_received_and_later_frames():
    connection = new_connection(FakeTransport())
    connection.receive(b'{"op":"hello"}')
    connection.end()
    connection.receive(b'{"op":"hello"}')
    assert (connection.next_effects(0.0), connection.has_received, connection.hello_received) == ([], False, False)
