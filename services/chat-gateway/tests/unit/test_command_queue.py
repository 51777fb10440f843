"""Command queues: order, batches, retries, and exactly one result per command."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_gateway.clients.rooms import Rooms
from chat_gateway.command_queue import (
    BATCH_BYTES,
    OUTCOME_UNKNOWN,
    QUEUE_FULL,
    SESSION_GONE,
    CommandQueue,
    CommandQueues,
)
from chat_gateway.timings import Timings
from shared.contracts.limits import MAX_BATCH_BYTES, MAX_BATCH_COMMANDS
from shared.contracts.rooms import Accepted, AnyCommand, LeaveRoom, ReadRoom, Rejected, Result, SendMessage
from shared.errors import Invalid, Unavailable
from shared.ids import new_id
from shared.metrics import REGISTRY
from shared.testing.fixtures import eventually
from shared.tracing.context import new_span_context

from ..harness import RoomsService  # noqa: TID252 - the tests of one service


class Sender:
    """A sender of commands to one queue. `results` has their results in order."""

    def __init__(self, **options: Any) -> None:
        self.rooms, self.epochs = RoomsService(), list[str]()
        client: Any = self.rooms
        self.command_queues = CommandQueues(Rooms(client), self.epochs.append, partitions=1, **options)
        [self.queue] = self.command_queues._queues
        self.room_id = self.rooms.create("minji", "junho")
        self.results: list[tuple[str, Result]] = []
        self.submitted = 0

    def on_result(self, name: str) -> Callable[[Result], None]:
        self.submitted += 1
        return lambda result: self.results.append((name, result))

    def send(self, body: str, connection_id: str = "c", room_id: str = "", **fields: Any) -> None:
        command = SendMessage(
            command_id="", room_id=room_id or self.room_id, user_id="minji", client_id=new_id(), body=body, **fields
        )
        self.command_queues.submit(command, connection_id, self.on_result(body))

    def read(self, seq: int, name: str = "read", connection_id: str = "c", user_id: str = "minji") -> None:
        command = ReadRoom(command_id=new_id(), room_id=self.room_id, user_id=user_id, seq=seq)
        self.command_queues.submit(command, connection_id, self.on_result(name))

    @property
    def batches(self) -> list[int]:
        return [len(batch.commands) for batch in self.rooms.requests_to("commands")]

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Keep one request pending while the block runs, then wait for all results."""
        async with self.command_queues.running():
            self.rooms.pause()
            self.send("first", connection_id="first")
            await eventually(lambda: self.rooms.requests)
            yield
            self.rooms.resume()
            await eventually(lambda: len(self.results) == self.submitted)


def unknown_outcomes() -> float:
    return REGISTRY.get_sample_value("webchat_lane_unknown_total") or 0


async def test_commands_that_arrive_during_a_request_are_sent_together_in_the_next():
    sender = Sender()
    async with sender.busy():
        for number in range(MAX_BATCH_COMMANDS + 1):
            sender.send(f"{number}")
    assert sender.batches == [1, MAX_BATCH_COMMANDS, 1]
    expected = ["first", *(f"{number}" for number in range(MAX_BATCH_COMMANDS + 1))]
    assert [name for name, _ in sender.results] == sender.rooms.bodies(sender.room_id) == expected
    assert sender.epochs == ["epoch-1"] * 3


async def test_a_batch_has_limited_bytes_and_at_least_one_command():
    sender = Sender()
    large = BATCH_BYTES // 2
    async with sender.busy():
        for body in ("a" * large, "b" * large, "c" * 4 * large, "d"):
            sender.send(body)
    assert sender.batches == [1, 1, 1, 1, 1]


async def test_a_batch_never_exceeds_the_limit_of_rooms():
    """Control characters take six bytes each as JSON, and a trace is added later."""
    sender = Sender()
    async with sender.busy():
        for number in range(MAX_BATCH_COMMANDS):
            sender.send("\x01" * 4_000 + str(number), mentions=[new_id()] * 50)
        for item in sender.queue._queue:
            item.command.traceparent = new_span_context().traceparent
    requests = sender.rooms.requests_to("commands")
    assert len(requests) > 1
    assert max(len(msgspec.json.encode(request)) for request in requests) <= MAX_BATCH_BYTES
    assert max(len(msgspec.json.encode(request)) for request in requests) > MAX_BATCH_BYTES // 2


async def test_a_batch_carries_the_time_in_which_rooms_may_commit_it():
    sender = Sender(timings=Timings(command_budget=0.05))
    async with sender.command_queues.running():
        sender.send("x")
        await eventually(lambda: sender.results)
    [batch] = sender.rooms.requests_to("commands")
    assert batch.budget_ms == 50


async def test_a_room_has_one_partition_and_rooms_are_spread_over_all():
    client: Any = RoomsService()
    queues = CommandQueues(Rooms(client), lambda _: None, partitions=8)
    rooms = [new_id() for _ in range(200)]
    for room_id in rooms * 2:
        queues.submit(LeaveRoom(command_id=new_id(), room_id=room_id, user_id="u"), "c", lambda _: None)
    assert queues.depth == 400
    assert [queue.depth for queue in queues._queues if queue.depth < 10] == []
    assert queues.deepest == max(queue.depth for queue in queues._queues)
    rooms_by_queue = [{item.command.room_id for item in queue._queue} for queue in queues._queues]
    assert sum(map(len, rooms_by_queue)) == 200


async def test_queued_reads_of_a_user_in_a_room_are_merged_into_the_furthest():
    sender = Sender()
    for number in range(3):
        sender.rooms.add_message(sender.room_id, "junho", f"{number}")
    async with sender.busy():
        for seq in (1, 3, 2):
            sender.read(seq, f"minji {seq}")
        sender.read(1, "junho", user_id="junho")
        assert sender.command_queues.depth == 2
    assert sender.batches == [1, 2]
    read = {name: result.read_seq for name, result in sender.results[1:] if isinstance(result, Accepted)}
    assert read == {"minji 1": 3 + 1, "minji 3": 3 + 1, "minji 2": 3 + 1, "junho": 3}


async def test_a_read_is_not_merged_into_one_in_flight():
    sender = Sender()
    async with sender.command_queues.running():
        for _ in range(2):
            sender.rooms.pause()
            before = len(sender.rooms.requests)
            sender.read(1)
            await eventually(lambda before=before: len(sender.rooms.requests) > before)
            sender.read(1)
            sender.rooms.resume()
            await eventually(lambda: not sender.command_queues.depth)
        await eventually(lambda: len(sender.results) == 4)
    assert sender.batches == [1, 1, 1, 1]


async def test_a_full_queue_rejects_commands_at_once():
    sender = Sender(capacity=64)
    for number in range(65):
        sender.send(f"{number}")
    assert sender.results == [("64", QUEUE_FULL)]
    assert (sender.command_queues.depth, sender.command_queues.fill_level) == (64, 1)


async def test_a_batch_of_unknown_outcome_is_repeated_before_the_next_is_sent():
    sender = Sender()
    async with sender.busy():
        sender.send("second", connection_id="second")
        sender.rooms.errors = [Unavailable("away"), Unavailable("away")]
    commands = [batch.commands for batch in sender.rooms.requests_to("commands")]
    assert [len(batch) for batch in commands] == [1, 1, 1, 1]
    assert commands[:3] == [commands[0]] * 3
    assert sender.rooms.bodies(sender.room_id) == ["first", "second"]


async def test_an_unknown_outcome_fails_later_commands_of_the_same_sender_and_room():
    sender = Sender(timings=Timings(command_give_up=0))
    other_room = sender.rooms.create("minji")
    before = unknown_outcomes()
    async with sender.busy():
        sender.send("behind", connection_id="first")
        sender.read(1, "read behind", connection_id="first")
        sender.send("another sender", connection_id="second")
        sender.send("another room", connection_id="first", room_id=other_room)
        sender.rooms.errors = [Unavailable("away")]
        sender.rooms.resume()
        await eventually(lambda: len(sender.results) >= 3)
        sender.read(1, "a later read", connection_id="first")
    assert sender.results[:3] == [(name, OUTCOME_UNKNOWN) for name in ("first", "behind", "read behind")]
    assert {name: type(result) for name, result in sender.results[3:]} == {
        "another sender": Accepted, "another room": Accepted, "a later read": Accepted,
    }  # fmt: skip
    assert unknown_outcomes() == before + 3


async def test_a_request_that_is_never_answered_is_given_up():
    sender = Sender(timings=Timings(command_request=0.02, command_give_up=0.1))
    async with sender.command_queues.running():
        sender.rooms.pause()
        sender.send("x")
        await eventually(lambda: sender.results)
        sender.rooms.resume()
    assert sender.results == [("x", OUTCOME_UNKNOWN)]
    assert len(sender.batches) >= 2


async def test_if_rooms_rejects_a_batch_each_command_is_rejected():
    sender, error = Sender(), Invalid("Too many at once.")
    async with sender.busy():
        sender.send("second", connection_id="second")
        sender.send("third", connection_id="third")
        sender.rooms.errors = [KeyError("a fault"), error]
        sender.rooms.resume()
        await eventually(lambda: len(sender.results) == 3)
        sender.send("fourth")
    rejected = Rejected(code=error.code, detail=error.detail)
    assert sender.results[:3] == [("first", OUTCOME_UNKNOWN), ("second", rejected), ("third", rejected)]
    assert isinstance(sender.results[3][1], Accepted)


async def test_a_queue_answers_its_commands_and_continues_after_any_error():
    sender = Sender()
    sender.send("x")
    sender.rooms.error = KeyError("a fault")
    with pytest.raises(KeyError):
        await sender.queue.run()
    assert sender.results == [("x", OUTCOME_UNKNOWN)]
    sender.rooms.error = None
    sender.send("y")
    await sender.queue.run()
    assert isinstance(sender.results[1][1], Accepted)


async def test_commands_queued_at_shutdown_are_answered():
    sender = Sender()
    async with sender.command_queues.running():
        sender.rooms.pause()
        sender.send("x")
        await eventually(lambda: sender.rooms.requests)
        sender.send("y")
    assert sender.results == [("x", OUTCOME_UNKNOWN), ("y", OUTCOME_UNKNOWN)]


async def test_queued_commands_of_an_ended_session_are_rejected_except_reads():
    sender = Sender()
    async with sender.busy():
        sender.send("ended", connection_id="ended")
        sender.read(1, "read", connection_id="ended")
        sender.send("active", connection_id="active")
        sender.command_queues.reject("ended")
        assert sender.results == [("ended", SESSION_GONE)]
    assert sender.rooms.bodies(sender.room_id) == ["first", "active"]
    assert [type(result) for _, result in sender.results[1:]] == [Accepted] * 3


async def test_no_request_is_sent_if_all_queued_commands_were_rejected():
    sender = Sender()
    sender.send("ended", connection_id="ended")
    sender.command_queues.reject("ended")
    async with sender.command_queues.running():
        await asyncio.sleep(0.02)
        assert sender.rooms.requests == []
        sender.send("active")
        await eventually(lambda: len(sender.results) == 2)
    assert sender.batches == [1]


async def test_queued_commands_of_an_ended_session_are_rejected_in_all_queues():
    client: Any = RoomsService()
    queues, results = CommandQueues(Rooms(client), lambda _: None, partitions=8), list[Result]()
    for _ in range(100):
        command = LeaveRoom(command_id=new_id(), room_id=new_id(), user_id="u")
        queues.submit(command, "ended", results.append)
    queues.reject("ended")
    assert (queues.depth, results) == (0, [SESSION_GONE] * 100)


async def test_a_sampled_command_has_a_span_for_its_request(spans: list[dict[str, Any]]):
    context = new_span_context()
    sender = Sender()
    async with sender.command_queues.running():
        sender.send("x", traceparent=context.traceparent)
        await eventually(lambda: sender.results)
    [span] = spans
    assert (span["event.action"], span["event.outcome"], span["parent.id"]) == (
        "rooms.commands", "success", context.span_id,
    )  # fmt: skip
    [command] = sender.rooms.commands
    assert command.traceparent == f"00-{context.trace_id}-{span['span.id']}-01"
    sender.rooms.error = KeyError("a fault")
    sender.send("y", traceparent=context.traceparent)
    with pytest.raises(KeyError):
        await sender.queue.run()
    assert [one["event.outcome"] for one in spans] == ["success", "failure"]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_every_command_is_answered_once_and_every_sender_keeps_its_order(data: st.DataObject):
    """Requests succeed or fail, and sessions end, in any order."""

    async def run() -> None:
        sender = Sender()
        timings = Timings(command_request=0, command_give_up=0)
        sender.queue = CommandQueue(sender.command_queues._queues[0]._rooms, lambda _: None, timings=timings)
        sent: list[tuple[str, int]] = []
        ended: set[str] = set()
        results: dict[tuple[str, int], list[Result]] = {}

        def submit(connection_id: str) -> None:
            key = connection_id, len(sent)
            sent.append(key)
            results[key] = []
            command: AnyCommand = SendMessage(
                command_id="", room_id=sender.room_id, user_id="minji", client_id=new_id(), body=f"{key}"
            )
            sender.queue.submit(command, connection_id, results[key].append)

        for _ in range(data.draw(st.integers(1, 12))):
            match data.draw(st.sampled_from(["send", "send", "work", "unknown", "end"])):
                case "send":
                    for connection_id in data.draw(st.lists(st.sampled_from("abc"), max_size=5)):
                        submit(connection_id)
                case "end":
                    ended.add(connection_id := data.draw(st.sampled_from("abc")))
                    sender.queue.reject(connection_id)
                case work:
                    if sender.queue.depth:
                        sender.rooms.error = Unavailable("away") if work == "unknown" else None
                        await sender.queue.run()
        sender.rooms.error = None
        while sender.queue.depth:
            await sender.queue.run()
        assert [key for key in sent if len(results[key]) != 1] == []
        committed = [key for key in sent if isinstance(results[key][0], Accepted)]
        assert sender.rooms.bodies(sender.room_id) == [f"{key}" for key in committed]
        assert {key[0] for key in sent if results[key] == [SESSION_GONE]} <= ended

    asyncio.run(run())
