"""Command queues: order, batches, retries, and exactly one result per command."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_gateway.clients.rooms import Rooms
from chat_gateway.lanes import BATCH_BYTES, BATCH_COMMANDS, BUSY, GAVE_UP, SIGNED_OUT, Lane, Lanes
from chat_gateway.settings import Timings
from shared.contracts.rooms import Accepted, AnyCommand, LeaveRoom, ReadRoom, Rejected, Result, SendMessage
from shared.errors import Invalid, Unavailable
from shared.ids import new_id
from shared.metrics import REGISTRY
from shared.testing.fixtures import eventually
from shared.tracing.context import new_span_context

from ..edge import RoomsService  # noqa: TID252 - the tests of one service


class Sender:
    """One lane, and the results of its commands in order."""

    def __init__(self, **options: Any) -> None:
        self.rooms, self.epochs = RoomsService(), list[str]()
        client: Any = self.rooms
        self.lanes = Lanes(Rooms(client), self.epochs.append, count=1, **options)
        [self.lane] = self.lanes._lanes
        self.room_id = self.rooms.create("minji", "junho")
        self.results: list[tuple[str, Result]] = []
        self.submitted = 0

    def note(self, name: str) -> Callable[[Result], None]:
        self.submitted += 1
        return lambda result: self.results.append((name, result))

    def send(self, body: str, owner: str = "c", room_id: str = "", **fields: Any) -> None:
        command = SendMessage(
            command_id="", room_id=room_id or self.room_id, user_id="minji", client_id=new_id(), body=body, **fields
        )
        self.lanes.submit(command, owner, self.note(body))

    def read(self, seq: int, name: str = "read", owner: str = "c", user_id: str = "minji") -> None:
        command = ReadRoom(command_id=new_id(), room_id=self.room_id, user_id=user_id, seq=seq)
        self.lanes.submit(command, owner, self.note(name))

    @property
    def batches(self) -> list[int]:
        return [len(batch.commands) for batch in self.rooms.of("commands")]

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Keep one request pending while the block runs, then wait for all results."""
        async with self.lanes.running():
            self.rooms.gate.clear()
            self.send("first", owner="first")
            await eventually(lambda: self.rooms.asked)
            yield
            self.rooms.gate.set()
            await eventually(lambda: len(self.results) == self.submitted)


def unknown() -> float:
    return REGISTRY.get_sample_value("webchat_lane_unknown_total") or 0


async def test_what_arrives_while_a_request_is_under_way_goes_together_in_the_next():
    sender = Sender()
    async with sender.at_work():
        for number in range(BATCH_COMMANDS + 1):
            sender.send(f"{number}")
    assert sender.batches == [1, BATCH_COMMANDS, 1]
    expected = ["first", *(f"{number}" for number in range(BATCH_COMMANDS + 1))]
    assert [name for name, _ in sender.results] == sender.rooms.bodies(sender.room_id) == expected
    assert sender.epochs == ["epoch-1"] * 3


async def test_a_request_holds_so_many_bytes_and_at_least_one_command():
    sender = Sender()
    large = BATCH_BYTES // 8
    async with sender.at_work():
        for body in ("a" * large, "b" * large, "c" * 4 * large, "d"):
            sender.send(body)
    assert sender.batches == [1, 1, 1, 1, 1]


async def test_rooms_is_told_until_when_it_may_commit():
    sender = Sender(timings=Timings(command_budget=0.05))
    async with sender.lanes.running():
        sender.send("x")
        await eventually(lambda: sender.results)
    [batch] = sender.rooms.of("commands")
    assert batch.budget_ms == 50


async def test_a_room_has_one_lane_and_rooms_are_spread_over_all():
    client: Any = RoomsService()
    lanes = Lanes(Rooms(client), lambda _: None, count=8)
    rooms = [new_id() for _ in range(200)]
    for room_id in rooms * 2:
        lanes.submit(LeaveRoom(command_id=new_id(), room_id=room_id, user_id="u"), "c", lambda _: None)
    assert lanes.depth == 400
    assert [lane.depth for lane in lanes._lanes if lane.depth < 10] == []
    assert lanes.deepest == max(lane.depth for lane in lanes._lanes)
    of_rooms = [{item.command.room_id for item in lane._queue} for lane in lanes._lanes]
    assert sum(map(len, of_rooms)) == 200


async def test_reads_of_one_user_in_one_room_become_the_furthest():
    sender = Sender()
    for number in range(3):
        sender.rooms.say(sender.room_id, "junho", f"{number}")
    async with sender.at_work():
        for seq in (1, 3, 2):
            sender.read(seq, f"minji {seq}")
        sender.read(1, "junho", user_id="junho")
        assert sender.lanes.depth == 2
    assert sender.batches == [1, 2]
    read = {name: result.read_seq for name, result in sender.results[1:] if isinstance(result, Accepted)}
    assert read == {"minji 1": 3 + 1, "minji 3": 3 + 1, "minji 2": 3 + 1, "junho": 3}


async def test_a_read_behind_one_that_is_under_way_goes_by_itself():
    sender = Sender()
    async with sender.lanes.running():
        for _ in range(2):
            sender.rooms.gate.clear()
            before = len(sender.rooms.asked)
            sender.read(1)
            await eventually(lambda before=before: len(sender.rooms.asked) > before)
            sender.read(1)
            sender.rooms.gate.set()
            await eventually(lambda: not sender.lanes.depth)
        await eventually(lambda: len(sender.results) == 4)
    assert sender.batches == [1, 1, 1, 1]


async def test_beyond_its_bound_commands_are_turned_away_at_once():
    sender = Sender(room_for=64)
    for number in range(65):
        sender.send(f"{number}")
    assert sender.results == [("64", BUSY)]
    assert (sender.lanes.depth, sender.lanes.filled) == (64, 1)


async def test_an_outcome_that_is_unknown_is_asked_for_again_before_anything_else_goes():
    sender = Sender()
    async with sender.at_work():
        sender.send("second", owner="second")
        sender.rooms.problems = [Unavailable("away"), Unavailable("away")]
    commands = [batch.commands for batch in sender.rooms.of("commands")]
    assert [len(batch) for batch in commands] == [1, 1, 1, 1]
    assert commands[:3] == [commands[0]] * 3
    assert sender.rooms.bodies(sender.room_id) == ["first", "second"]


async def test_what_stays_unknown_fails_with_all_that_waits_behind_it_for_the_same_sender_and_room():
    sender = Sender(timings=Timings(command_give_up=0))
    other_room = sender.rooms.create("minji")
    before = unknown()
    async with sender.at_work():
        sender.send("behind", owner="first")
        sender.read(1, "read behind", owner="first")
        sender.send("another sender", owner="second")
        sender.send("another room", owner="first", room_id=other_room)
        sender.rooms.problems = [Unavailable("away")]
        sender.rooms.gate.set()
        await eventually(lambda: len(sender.results) >= 3)
        sender.read(1, "a later read", owner="first")
    assert sender.results[:3] == [(name, GAVE_UP) for name in ("first", "behind", "read behind")]
    assert {name: type(result) for name, result in sender.results[3:]} == {
        "another sender": Accepted, "another room": Accepted, "a later read": Accepted,
    }  # fmt: skip
    assert unknown() == before + 3


async def test_a_request_that_is_never_answered_is_given_up():
    sender = Sender(timings=Timings(command_request=0.02, command_give_up=0.1))
    async with sender.lanes.running():
        sender.rooms.gate.clear()
        sender.send("x")
        await eventually(lambda: sender.results)
        sender.rooms.gate.set()
    assert sender.results == [("x", GAVE_UP)]
    assert len(sender.batches) >= 2


async def test_a_batch_that_rooms_refuses_is_refused_for_each():
    sender, problem = Sender(), Invalid("Too many at once.")
    async with sender.at_work():
        sender.send("second", owner="second")
        sender.send("third", owner="third")
        sender.rooms.problems = [KeyError("a fault"), problem]
        sender.rooms.gate.set()
        await eventually(lambda: len(sender.results) == 3)
        sender.send("fourth")
    refused = Rejected(code=problem.code, detail=problem.detail)
    assert sender.results[:3] == [("first", GAVE_UP), ("second", refused), ("third", refused)]
    assert isinstance(sender.results[3][1], Accepted)


async def test_a_lane_answers_whatever_hits_it_and_goes_on():
    sender = Sender()
    sender.send("x")
    sender.rooms.problem = KeyError("a fault")
    with pytest.raises(KeyError):
        await sender.lane.run()
    assert sender.results == [("x", GAVE_UP)]
    sender.rooms.problem = None
    sender.send("y")
    await sender.lane.run()
    assert isinstance(sender.results[1][1], Accepted)


async def test_what_waits_at_the_end_of_the_gateway_is_answered():
    sender = Sender()
    async with sender.lanes.running():
        sender.rooms.gate.clear()
        sender.send("x")
        await eventually(lambda: sender.rooms.asked)
        sender.send("y")
    assert sender.results == [("x", GAVE_UP), ("y", GAVE_UP)]


async def test_what_waits_for_a_session_that_is_gone_is_refused_but_reads_go_on():
    sender = Sender()
    async with sender.at_work():
        sender.send("gone", owner="gone")
        sender.read(1, "read", owner="gone")
        sender.send("stays", owner="stays")
        sender.lanes.refuse("gone")
        assert sender.results == [("gone", SIGNED_OUT)]
    assert sender.rooms.bodies(sender.room_id) == ["first", "stays"]
    assert [type(result) for _, result in sender.results[1:]] == [Accepted] * 3


async def test_rooms_is_not_asked_where_all_that_waited_was_refused():
    sender = Sender()
    sender.send("gone", owner="gone")
    sender.lanes.refuse("gone")
    async with sender.lanes.running():
        await asyncio.sleep(0.02)
        assert sender.rooms.asked == []
        sender.send("stays")
        await eventually(lambda: len(sender.results) == 2)
    assert sender.batches == [1]


async def test_what_waits_for_a_session_that_is_gone_is_refused_in_all_lanes():
    client: Any = RoomsService()
    lanes, results = Lanes(Rooms(client), lambda _: None, count=8), list[Result]()
    for _ in range(100):
        command = LeaveRoom(command_id=new_id(), room_id=new_id(), user_id="u")
        lanes.submit(command, "gone", results.append)
    lanes.refuse("gone")
    assert (lanes.depth, results) == (0, [SIGNED_OUT] * 100)


async def test_a_sampled_command_has_a_span_for_its_request(spans: list[dict[str, Any]]):
    membership = new_span_context()
    sender = Sender()
    async with sender.lanes.running():
        sender.send("x", traceparent=membership.traceparent)
        await eventually(lambda: sender.results)
    [span] = spans
    assert (span["event.action"], span["event.outcome"], span["parent.id"]) == (
        "rooms.commands", "success", membership.span_id,
    )  # fmt: skip
    [command] = sender.rooms.done
    assert command.traceparent == f"00-{membership.trace_id}-{span['span.id']}-01"
    sender.rooms.problem = KeyError("a fault")
    sender.send("y", traceparent=membership.traceparent)
    with pytest.raises(KeyError):
        await sender.lane.run()
    assert [one["event.outcome"] for one in spans] == ["success", "failure"]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_whatever_happens_each_is_answered_once_and_each_sender_keeps_its_order(data: st.DataObject):
    """Requests succeed or fail, and sessions end, in any order."""

    async def play() -> None:
        sender = Sender()
        timings = Timings(command_request=0, command_give_up=0)
        sender.lane = Lane(sender.lanes._lanes[0]._rooms, lambda _: None, timings=timings)
        sent: list[tuple[str, int]] = []
        gone: set[str] = set()
        done: dict[tuple[str, int], list[Result]] = {}

        def submit(owner: str) -> None:
            key = owner, len(sent)
            sent.append(key)
            done[key] = []
            command: AnyCommand = SendMessage(
                command_id="", room_id=sender.room_id, user_id="minji", client_id=new_id(), body=f"{key}"
            )
            sender.lane.submit(command, owner, done[key].append)

        for _ in range(data.draw(st.integers(1, 12))):
            match data.draw(st.sampled_from(["send", "send", "work", "unknown", "end"])):
                case "send":
                    for owner in data.draw(st.lists(st.sampled_from("abc"), max_size=5)):
                        submit(owner)
                case "end":
                    gone.add(owner := data.draw(st.sampled_from("abc")))
                    sender.lane.refuse(owner)
                case work:
                    if sender.lane.depth:
                        sender.rooms.problem = Unavailable("away") if work == "unknown" else None
                        await sender.lane.run()
        sender.rooms.problem = None
        while sender.lane.depth:
            await sender.lane.run()
        assert [key for key in sent if len(done[key]) != 1] == []
        committed = [key for key in sent if isinstance(done[key][0], Accepted)]
        assert sender.rooms.bodies(sender.room_id) == [f"{key}" for key in committed]
        assert {key[0] for key in sent if done[key] == [SIGNED_OUT]} <= gone

    asyncio.run(play())
