"""The canary's ledger: each violation is counted, and counted once."""

from typing import Any

import pytest

from canary.ledger import Ledger, Message, Reader
from canary.metrics import CanaryMetrics

PATIENCE = 10.0
BELOW = 1_000


class Fixture:
    """A ledger with two readers at version 5, and its metrics."""

    def __init__(self) -> None:
        self.metrics = CanaryMetrics()
        self.ledger = Ledger(self.metrics, PATIENCE)
        self.ana, self.ben = Reader("ana", "one", version=5), Reader("ben", "two", version=5)
        self.ledger.readers |= {self.ana, self.ben}
        self.versions = 5

    def acked(self, now: float = 1.0) -> Message:
        """Return a message that was acknowledged with the next version."""
        message = self.ledger.write(0.0)
        self.ledger.sent(message, "one")
        self.versions += 1
        self.ledger.acked(message, {"seq": self.versions - 3, "version": self.versions}, now)
        return message

    def event(self, message: Message) -> dict[str, Any]:
        return {"op": "message.created", "version": message.version, **self.item(message)}

    @staticmethod
    def item(message: Message) -> dict[str, Any]:
        return {"client_id": message.client_id, "seq": message.seq, "body": message.body}

    def take(self, reader: Reader, message: Message) -> bool:
        return self.ledger.receive(reader, self.event(message), 2.0)

    @property
    def failures(self) -> dict[str, float]:
        """The non-zero counters of violations."""
        names = ("unacked", "late", "lost", "repeated", "gaps")
        values = {name: self.metrics.registry.get_sample_value(f"webchat_canary_{name}_total") for name in names}
        return {name: value for name, value in values.items() if value}


@pytest.fixture
def fixture() -> Fixture:
    return Fixture()


def test_a_message_that_is_acknowledged_received_and_in_history_is_settled(fixture: Fixture):
    message = fixture.acked()
    assert fixture.take(fixture.ana, message)
    assert fixture.take(fixture.ben, message)
    assert not fixture.ledger.is_settled
    fixture.ledger.verify([fixture.item(message)], BELOW, asked_at=3.0)
    assert fixture.ledger.is_settled
    assert fixture.failures == {}


def test_an_event_may_arrive_before_the_answer(fixture: Fixture):
    message = fixture.ledger.write(0.0)
    fixture.ledger.sent(message, "one")
    event = {"op": "message.created", "version": 6, "client_id": message.client_id, "seq": 3, "body": message.body}
    for reader in (fixture.ana, fixture.ben):
        assert fixture.ledger.receive(reader, event, 1.0)
    fixture.ledger.acked(message, {"seq": 3, "version": 6}, 2.0)
    fixture.ledger.verify([fixture.item(message)], BELOW, asked_at=3.0)
    assert (fixture.ledger.is_settled, fixture.failures) == (True, {})


def test_a_message_missing_in_history_is_lost_although_all_received_it(fixture: Fixture):
    message = fixture.acked()
    assert fixture.take(fixture.ana, message)
    assert fixture.take(fixture.ben, message)
    fixture.ledger.verify([], BELOW, asked_at=3.0)
    fixture.ledger.verify([], BELOW, asked_at=4.0)
    assert fixture.failures == {"lost": 1}


def test_history_loaded_before_the_answer_is_ignored(fixture: Fixture):
    fixture.acked(now=3.0)
    fixture.ledger.verify([], BELOW, asked_at=2.0)
    assert fixture.failures == {}
    assert fixture.ledger.lowest_unverified() == 3


def test_another_text_in_history_is_a_loss(fixture: Fixture):
    message = fixture.acked()
    fixture.ledger.verify([fixture.item(message) | {"body": "another"}], BELOW, asked_at=3.0)
    assert fixture.failures == {"lost": 1}


def test_a_gap_is_requested_again_and_repaired(fixture: Fixture):
    first, second = fixture.acked(), fixture.acked()
    assert not fixture.take(fixture.ana, second)
    assert (fixture.ana.version, fixture.failures) == (5, {"gaps": 1})
    assert fixture.take(fixture.ana, first)
    assert fixture.take(fixture.ana, second)
    assert fixture.failures == {"gaps": 1}


def test_a_repeated_gap_is_one_loss_for_all_readers(fixture: Fixture):
    fixture.acked()
    second = fixture.acked()
    for reader in (fixture.ana, fixture.ben):
        assert not fixture.take(reader, second)
        assert fixture.take(reader, second)
    fixture.ledger.verify([fixture.item(second)], BELOW, asked_at=3.0)
    assert fixture.failures == {"gaps": 2, "lost": 1}
    assert fixture.ledger.is_settled


def test_duplicates_are_counted_by_version_and_by_message(fixture: Fixture):
    message = fixture.acked()
    assert fixture.take(fixture.ana, message)
    assert fixture.take(fixture.ana, message)
    assert fixture.ledger.receive(fixture.ana, fixture.event(message) | {"version": 7, "seq": 4}, 3.0)
    assert fixture.failures == {"repeated": 2}


def test_late_is_counted_once_and_not_for_readers_that_left(fixture: Fixture):
    message = fixture.acked(now=1.0)
    assert fixture.take(fixture.ana, message)
    assert not fixture.ledger.check_deadlines(10.9)
    assert fixture.ledger.check_deadlines(11.1)
    assert not fixture.ledger.check_deadlines(12.0)
    assert fixture.failures == {"late": 1}
    fixture.acked(now=20.0)
    for reader in (fixture.ana, fixture.ben):
        fixture.ledger.leave(reader)
    assert not fixture.ledger.check_deadlines(40.0)
    assert fixture.failures == {"late": 1}


def test_unacknowledged_is_counted_once_and_is_no_loss(fixture: Fixture):
    slow, dropped = fixture.ledger.write(0.0), fixture.ledger.write(9.0)
    fixture.ledger.check_deadlines(10.1)
    fixture.ledger.check_deadlines(11.0)
    assert fixture.failures == {"unacked": 1}
    assert fixture.metrics.registry.get_sample_value("webchat_canary_waiting_seconds") == 11.0
    fixture.ledger.abandon(slow)
    fixture.ledger.abandon(dropped)
    assert (fixture.failures, fixture.ledger.is_settled) == ({"unacked": 2}, True)


def test_a_reset_reader_has_the_page_and_everything_before_it(fixture: Fixture):
    first, second, third = fixture.acked(), fixture.acked(), fixture.acked()
    fixture.ledger.reset(fixture.ana, [fixture.item(second)], version=8)
    assert fixture.failures == {"lost": 1}, "the third is in the room, but not in its newest page"
    for message in (first, second, third):
        assert fixture.take(fixture.ben, message)
    fixture.ledger.verify(map(fixture.item, (first, second, third)), BELOW, asked_at=3.0)
    assert fixture.ledger.is_settled


def test_messages_not_found_in_history_are_lost_with_their_room(fixture: Fixture):
    fixture.ledger.verify([fixture.item(fixture.acked())], BELOW, asked_at=3.0)
    fixture.acked()
    fixture.ledger.write(4.0)
    fixture.ledger.room_gone()
    assert (fixture.failures, fixture.ledger.is_settled) == ({"lost": 1}, True)


def test_a_later_reader_is_not_expected_to_receive_a_message(fixture: Fixture):
    message = fixture.acked()
    fixture.ledger.readers.add(Reader("eve", "one", version=6))
    for reader in (fixture.ana, fixture.ben):
        fixture.take(reader, message)
    fixture.ledger.verify([fixture.item(message)], BELOW, asked_at=3.0)
    assert fixture.ledger.is_settled


def test_a_removed_replica_has_no_series(fixture: Fixture):
    fixture.acked()
    fixture.metrics.forget("one")
    assert fixture.metrics.registry.get_sample_value("webchat_canary_acked_total", {"gateway": "one"}) is None
