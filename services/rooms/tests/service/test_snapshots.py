"""A snapshot at any version, folded with the later events, equals a fresh snapshot.

This holds for events as published, and as loaded later from the database.
"""

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.rooms import AnyCommand, Message
from shared.events.rooms import RoomEvent
from shared.ids import new_id
from shared.roomlog.fold import Snapshot, fold
from shared.roomlog.frames import batch_events, decode_frame
from shared.testing.fixtures import on_each_database

from .conftest import RoomsDriver

A, B, C = (new_id() for _ in range(3))
OTHERS = [B, C]
SEQS, PEOPLE, BODIES = st.integers(1, 6), st.sampled_from([A, B, C]), st.sampled_from(["x", "y", "z" * 40])

commands = st.one_of(
    st.tuples(st.just("send"), PEOPLE, BODIES),
    st.tuples(st.just("send"), PEOPLE, BODIES),
    st.tuples(st.just("edit"), PEOPLE, SEQS, BODIES),
    st.tuples(st.just("delete"), PEOPLE, SEQS),
    st.tuples(st.just("react"), PEOPLE, SEQS, st.sampled_from("ab"), st.booleans()),
    st.tuples(st.just("invite"), PEOPLE, st.sampled_from(OTHERS)),
    st.tuples(st.just("leave"), st.sampled_from(OTHERS)),
    st.tuples(st.just("remove"), PEOPLE, st.sampled_from(OTHERS)),
    st.tuples(st.just("role"), PEOPLE, st.sampled_from(OTHERS), st.sampled_from(["admin", "member"])),
    st.tuples(st.just("update"), PEOPLE, st.sampled_from(["T", "U"]), st.none() | SEQS),
    st.tuples(st.just("duplicate")),
)
batches = st.lists(st.lists(commands, min_size=1, max_size=8), min_size=1, max_size=5)


def command_of(driver: RoomsDriver, room: str, step: tuple[Any, ...]) -> AnyCommand:
    name, user, *rest = step
    if name == "react":
        return driver.react(room, user, rest[0], rest[1], remove=rest[2])  # type: ignore[no-any-return]
    if name == "update":
        return driver.update(room, user, title=rest[0], pinned_seq=rest[1])  # type: ignore[no-any-return]
    return getattr(driver, name)(room, user, *rest)  # type: ignore[no-any-return]


def without_order(snapshot: Snapshot) -> Snapshot:
    """Sort reactions, whose order is not significant."""

    def sorted_one(message: Message) -> Message:
        reactions = {emoji: sorted(message.reactions[emoji]) for emoji in sorted(message.reactions)}
        return msgspec.structs.replace(message, reactions=reactions)

    return msgspec.structs.replace(snapshot, messages={seq: sorted_one(one) for seq, one in snapshot.messages.items()})


@on_each_database
@settings(max_examples=60, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=batches)
async def test_fold_equals_a_fresh_snapshot(manual_driver: RoomsDriver, script: list[list[tuple[Any, ...]]]) -> None:
    room = await manual_driver.group(A, B)
    snapshots = [await manual_driver.snapshot(room, A)]
    live: list[RoomEvent] = []
    sent: list[AnyCommand] = []
    for steps in script:
        batch = [command_of(manual_driver, room, step) for step in steps if step[0] != "duplicate"]
        batch += sent[-1:] if ("duplicate",) in steps else []
        sent += batch
        await manual_driver.batch(*batch)
        live += take_published(manual_driver, room)
        snapshots.append(await manual_driver.snapshot(room, A))
    fresh = without_order(snapshots[-1])
    reread = await manual_driver.events(room)
    assert [event.version for event in live] == list(range(1, fresh.version + 1))
    assert [type(event) for event in live] == [type(event) for event in reread]
    for events in (live, reread):
        assert without_order(fold(Snapshot(0, 1, {}), events)).messages == fresh.messages
        for snapshot in snapshots:
            assert without_order(fold(snapshot, events)) == fresh
            assert without_order(fold(fold(snapshot, events[: len(events) // 2]), events)) == fresh


def take_published(driver: RoomsDriver, room: str) -> list[RoomEvent]:
    """Take the events of the room from the queue of the publisher. Return them encoded and decoded."""
    waiting = driver.deps.publisher._waiting
    events = [event for committed in waiting for event in committed.events if event.room_id == room]
    waiting.clear()
    return [decode_frame(frame) for run in batch_events(events) for frame in run.frames]
