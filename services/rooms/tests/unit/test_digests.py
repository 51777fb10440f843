"""The digests of messages: plain until the first change, then sealed with a key or forgotten."""

from typing import Any

import pytest

from rooms.domain.creation import create_group
from rooms.domain.decide import decide
from rooms.domain.digests import FORGOTTEN, DigestKeys
from rooms.domain.messages import digest_of
from rooms.domain.unit_of_work import UnitOfWork
from shared.contracts.rooms import Accepted, DeleteMessage, EditMessage, Rejected, SendMessage
from shared.ids import new_id

A, ROOM = (f"0198c0de-0000-7000-8000-00000000000{number}" for number in range(2))
OLD, NEW = "old key", "new key"


class Sent:
    """A room in memory in which one message was sent."""

    def __init__(self, *keys: str) -> None:
        self.work = UnitOfWork(now=1_000, open_accounts={A}, digest_keys=DigestKeys(keys))
        create_group(self.work, ROOM, A, "Room", [])
        self.command = SendMessage(command_id=new_id(), room_id=ROOM, user_id=A, client_id=new_id(), body="hi")
        self.plain = digest_of(self.command)
        self.decide(self.command)

    @property
    def digest(self) -> bytes:
        return self.work.messages[ROOM, 1].digest

    def decide(self, command: Any) -> Accepted:
        result = decide(self.work, command)
        assert isinstance(result, Accepted), result
        return result

    def edit(self, body: str) -> None:
        self.decide(EditMessage(command_id=new_id(), room_id=ROOM, user_id=A, seq=1, body=body))

    def delete(self) -> None:
        self.decide(DeleteMessage(command_id=new_id(), room_id=ROOM, user_id=A, seq=1))

    def retry(self, body: str, *keys: str) -> Accepted | Rejected:
        """Send again in a process that has loaded the message from the table."""
        key = (ROOM, A, self.command.client_id)
        self.work.sent[key].digest, self.work.digest_keys = self.digest, DigestKeys(keys)
        retry = SendMessage(command_id=new_id(), room_id=ROOM, user_id=A, client_id=self.command.client_id, body=body)
        return decide(self.work, retry)


@pytest.fixture
def sent() -> Sent:
    return Sent(NEW, OLD)


def test_an_unchanged_message_has_its_plain_digest(sent: Sent) -> None:
    assert sent.digest == sent.plain
    sent.edit("hi")
    assert sent.digest == sent.plain, "an edit without a change"


@pytest.mark.parametrize("change", ["edit", "delete"])
def test_a_changed_message_has_a_sealed_digest(sent: Sent, change: str) -> None:
    sent.edit("ho") if change == "edit" else sent.delete()
    assert sent.digest == DigestKeys([NEW]).seal(sent.plain) != sent.plain
    assert sent.digest not in (DigestKeys([OLD]).seal(sent.plain), FORGOTTEN)
    assert len(sent.digest) == 32


def test_a_digest_is_sealed_once(sent: Sent) -> None:
    sent.edit("ho")
    sealed = sent.digest
    sent.edit("hi")
    sent.edit("he")
    sent.delete()
    sent.delete()
    assert sent.digest == sealed


@pytest.mark.parametrize("keys", [(NEW,), (NEW, OLD), ("newer", OLD, NEW)])
def test_retries_are_recognised_as_long_as_the_key_is_kept(sent: Sent, keys: tuple[str, ...]) -> None:
    sent.delete()
    again = sent.retry("hi", *keys)
    assert isinstance(again, Accepted)
    assert again.duplicate
    other = sent.retry("ho", *keys)
    assert isinstance(other, Rejected)
    assert other.code == "conflict"


def test_without_its_key_a_retry_of_a_changed_message_is_a_conflict(sent: Sent) -> None:
    sent.delete()
    assert isinstance(sent.retry("hi", OLD), Rejected)
    assert isinstance(sent.retry("hi"), Rejected)


def test_without_any_key_the_digest_is_forgotten_and_every_retry_matches() -> None:
    sent = Sent()
    sent.edit("ho")
    assert sent.digest == FORGOTTEN
    for keys in ((), (NEW,)):
        again = sent.retry("what", *keys)
        assert isinstance(again, Accepted)
        assert (again.duplicate, again.seq) == (True, 1)
