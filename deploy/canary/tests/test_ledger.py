"""The canary's books by themselves: what is counted, and that it is counted once."""

from typing import Any

import pytest

from canary.ledger import Ledger, Message, Reader
from canary.meter import Meter

PATIENCE = 10.0
BELOW = 1_000


class Books:
    """A ledger with two readers that have the room up to version 5, and what it counted."""

    def __init__(self) -> None:
        self.meter = Meter()
        self.ledger = Ledger(self.meter, PATIENCE)
        self.ana, self.ben = Reader("ana", "one", version=5), Reader("ben", "two", version=5)
        self.ledger.readers |= {self.ana, self.ben}
        self.versions = 5

    def acked(self, now: float = 1.0) -> Message:
        """A message that was acknowledged, as the next version."""
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
        return self.ledger.take(reader, self.event(message), 2.0)

    @property
    def told(self) -> dict[str, float]:
        """What was counted of that which should not be."""
        names = ("unacked", "late", "lost", "repeated", "gaps")
        values = {name: self.meter.registry.get_sample_value(f"webchat_canary_{name}_total") for name in names}
        return {name: value for name, value in values.items() if value}


@pytest.fixture
def books() -> Books:
    return Books()


def test_what_is_acknowledged_received_and_in_history_is_settled(books: Books):
    message = books.acked()
    assert books.take(books.ana, message)
    assert books.take(books.ben, message)
    assert not books.ledger.is_settled
    books.ledger.found([books.item(message)], BELOW, asked_at=3.0)
    assert books.ledger.is_settled
    assert books.told == {}


def test_an_event_may_come_before_its_answer(books: Books):
    message = books.ledger.write(0.0)
    books.ledger.sent(message, "one")
    event = {"op": "message.created", "version": 6, "client_id": message.client_id, "seq": 3, "body": message.body}
    for reader in (books.ana, books.ben):
        assert books.ledger.take(reader, event, 1.0)
    books.ledger.acked(message, {"seq": 3, "version": 6}, 2.0)
    books.ledger.found([books.item(message)], BELOW, asked_at=3.0)
    assert (books.ledger.is_settled, books.told) == (True, {})


def test_what_history_lacks_is_lost_though_all_had_it(books: Books):
    message = books.acked()
    assert books.take(books.ana, message)
    assert books.take(books.ben, message)
    books.ledger.found([], BELOW, asked_at=3.0)
    books.ledger.found([], BELOW, asked_at=4.0)
    assert books.told == {"lost": 1}


def test_history_that_was_asked_before_the_answer_proves_nothing(books: Books):
    books.acked(now=3.0)
    books.ledger.found([], BELOW, asked_at=2.0)
    assert books.told == {}
    assert books.ledger.to_find() == 3


def test_another_text_in_history_is_a_loss(books: Books):
    message = books.acked()
    books.ledger.found([books.item(message) | {"body": "another"}], BELOW, asked_at=3.0)
    assert books.told == {"lost": 1}


def test_a_gap_is_asked_for_again_and_heals(books: Books):
    first, second = books.acked(), books.acked()
    assert not books.take(books.ana, second)
    assert (books.ana.version, books.told) == (5, {"gaps": 1})
    assert books.take(books.ana, first)
    assert books.take(books.ana, second)
    assert books.told == {"gaps": 1}


def test_the_same_gap_again_is_a_loss_counted_once_however_many_miss_it(books: Books):
    books.acked()
    second = books.acked()
    for reader in (books.ana, books.ben):
        assert not books.take(reader, second)
        assert books.take(reader, second)
    books.ledger.found([books.item(second)], BELOW, asked_at=3.0)
    assert books.told == {"gaps": 2, "lost": 1}
    assert books.ledger.is_settled


def test_what_comes_twice_is_told_by_version_and_by_message(books: Books):
    message = books.acked()
    assert books.take(books.ana, message)
    assert books.take(books.ana, message)
    assert books.ledger.take(books.ana, books.event(message) | {"version": 7, "seq": 4}, 3.0)
    assert books.told == {"repeated": 2}


def test_late_is_told_once_and_not_of_who_left(books: Books):
    message = books.acked(now=1.0)
    assert books.take(books.ana, message)
    assert not books.ledger.look(10.9)
    assert books.ledger.look(11.1)
    assert not books.ledger.look(12.0)
    assert books.told == {"late": 1}
    books.acked(now=20.0)
    for reader in (books.ana, books.ben):
        books.ledger.leave(reader)
    assert not books.ledger.look(40.0)
    assert books.told == {"late": 1}


def test_unacknowledged_is_told_once_and_is_no_loss(books: Books):
    slow, dropped = books.ledger.write(0.0), books.ledger.write(9.0)
    books.ledger.look(10.1)
    books.ledger.look(11.0)
    assert books.told == {"unacked": 1}
    assert books.meter.registry.get_sample_value("webchat_canary_waiting_seconds") == 11.0
    books.ledger.give_up(slow)
    books.ledger.give_up(dropped)
    assert (books.told, books.ledger.is_settled) == ({"unacked": 2}, True)


def test_who_begins_anew_has_what_the_page_has_and_what_is_before_it(books: Books):
    first, second, third = books.acked(), books.acked(), books.acked()
    books.ledger.begin_anew(books.ana, [books.item(second)], version=8)
    assert books.told == {"lost": 1}, "the third is in the room, and not in its newest page"
    for message in (first, second, third):
        assert books.take(books.ben, message)
    books.ledger.found(map(books.item, (first, second, third)), BELOW, asked_at=3.0)
    assert books.ledger.is_settled


def test_with_its_room_goes_what_was_acknowledged_and_not_seen_in_history(books: Books):
    books.ledger.found([books.item(books.acked())], BELOW, asked_at=3.0)
    books.acked()
    books.ledger.write(4.0)
    books.ledger.forsake()
    assert (books.told, books.ledger.is_settled) == ({"lost": 1}, True)


def test_a_reader_that_comes_later_is_owed_nothing(books: Books):
    message = books.acked()
    books.ledger.readers.add(Reader("eve", "one", version=6))
    for reader in (books.ana, books.ben):
        books.take(reader, message)
    books.ledger.found([books.item(message)], BELOW, asked_at=3.0)
    assert books.ledger.is_settled


def test_a_replica_that_is_gone_has_no_figures(books: Books):
    books.acked()
    books.meter.forget("one")
    assert books.meter.registry.get_sample_value("webchat_canary_acked_total", {"gateway": "one"}) is None
