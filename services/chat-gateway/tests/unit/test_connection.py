"""Connections, sans I/O: frames and times in, effects out."""

import json

import pytest

from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.effects import Close, Effect, Perform, Reply, Start
from chat_gateway.protocol.frames import MessageSend, Ping

from ..harness import FakeTransport, effects_of, new_connection  # noqa: TID252 - the tests of one service

ROOM = "0190c0de-0000-7000-8000-000000000001"
CLIENT = "0190c0de-0000-4000-8000-00000000000A"


def after_hello(**limits: object) -> Connection:
    state = new_connection(FakeTransport(), **limits)
    assert isinstance(effects_of(state, b'{"op":"hello"}', 0.0)[0], Start)
    state.handshake_done = True
    return state


def receive(state: Connection, value: object, now: float = 1.0) -> list[Effect]:
    return effects_of(state, json.dumps(value).encode(), now)


def error(effects: list[Effect]) -> dict[str, object]:
    assert isinstance(effects[0], Reply)
    reply: dict[str, object] = json.loads(effects[0].payload)
    assert reply["op"] == "error"
    return reply


def test_hello_with_cursors_starts_the_connection():
    state = new_connection(FakeTransport())
    [effect] = receive(state, {"op": "hello", "id": "h", "cursors": {ROOM: 7}, "epoch": "e"})
    assert isinstance(effect, Start)
    assert (effect.hello.cursors, effect.hello.epoch, effect.hello.id) == ({ROOM: 7}, "e", "h")


def test_a_frame_before_hello_and_a_second_hello_are_invalid():
    state = new_connection(FakeTransport())
    assert error(receive(state, {"op": "ping", "id": "1"}))["code"] == "invalid"
    receive(state, {"op": "hello"})
    state.handshake_done = True
    assert error(receive(state, {"op": "hello", "id": "2"})) | {"detail": ""} == {
        "op": "error", "id": "2", "code": "invalid", "detail": "",
    }  # fmt: skip


def test_a_missing_hello_closes_the_connection():
    assert new_connection(FakeTransport()).hello_overdue() == [Close(4408, "no hello within 10 s")]
    assert after_hello().hello_overdue() == []


def test_a_valid_frame_is_performed_and_counts_until_it_is_answered():
    state = after_hello(unanswered=2)
    [effect] = receive(state, {"op": "ping", "id": "1", "unknown": [1]})
    assert isinstance(effect, Perform)
    assert isinstance(effect.frame, Ping)
    assert not state.full
    receive(state, {"op": "ping", "id": "2"})
    assert state.full
    state.answered()
    assert not state.full


def test_typing_has_no_reply_and_does_not_count():
    state = after_hello(unanswered=1)
    receive(state, {"op": "room.typing", "room_id": ROOM, "typing": True})
    assert state.unanswered == 0


@pytest.mark.parametrize(
    ("data", "code", "frame_id"),
    [
        (b"nonsense", "bad_frame", None),
        (b"[1,2]", "bad_frame", None),
        (b'"text"', "bad_frame", None),
        (b"{}", "bad_frame", None),
        (b'{"op":5,"id":"a"}', "bad_frame", "a"),
        (b'{"op":"ping","id":5}', "bad_frame", None),
        (b'{"op":"nothing.known","id":"a"}', "unknown_op", "a"),
        (b'{"op":"file.upload","id":"a"}', "invalid", "a"),
        (b'{"op":"message.edit","id":"a","room_id":"r","seq":0,"body":"x"}', "invalid", "a"),
        (b'{"op":"message.edit","id":"a","room_id":"r","seq":9007199254740992,"body":"x"}', "invalid", "a"),
        (b'{"op":"message.edit","id":"a","room_id":"r","seq":1.5,"body":"x"}', "invalid", "a"),
        (b'{"op":"message.edit","id":"a","room_id":"r","seq":' + b"9" * 5000 + b',"body":"x"}', "bad_frame", None),
        (b'{"op":"message.edit","id":"a","room_id":"r","seq":1e400,"body":"x"}', "invalid", "a"),
        (b'{"op":"message.edit","id":"a","room_id":"r","seq":1}', "invalid", "a"),
        (b'{"op":"message.send","id":"a","room_id":"r","client_id":"x","body":"x"}', "invalid", "a"),
        (b'{"op":"message.edit","id":"a","room_id":"r","seq":1,"body":"\\ud800"}', "invalid", "a"),
        (b'{"op":"ping","id":"\\ud800"}', "bad_frame", None),
        (b'{"op":"ping","id":"a","x":' + b"[" * 30000 + b"]" * 30000 + b"}", "bad_frame", None),
        (b'{"op":"ping","id":"\xff"}', "bad_frame", None),
        (b'{"op":"ping","id":"a","x":NaN}', "invalid", "a"),
    ],
)
def test_an_invalid_frame_gets_an_error_with_its_id(data: bytes, code: str, frame_id: str | None):
    reply = error(effects_of(after_hello(), data, 1.0))
    assert (reply["code"], reply.get("id")) == (code, frame_id)
    assert reply["detail"]


def test_the_error_of_an_invalid_frame_names_the_field():
    frame = {"op": "message.edit", "id": "a", "room_id": ROOM, "seq": "5", "body": "x"}
    assert "seq" in str(error(receive(after_hello(), frame))["detail"])


def test_binary_frames_are_rejected():
    assert error(effects_of(after_hello(), b'{"op":"ping"}', 1.0, binary=True))["code"] == "bad_frame"


def test_a_client_id_may_be_written_in_upper_case():
    frame = {"op": "message.send", "room_id": ROOM, "client_id": CLIENT, "body": "안녕"}
    [effect] = receive(after_hello(), frame)
    assert isinstance(effect, Perform)
    assert isinstance(effect.frame, MessageSend)


def test_a_large_frame_is_rejected_with_its_id_and_without_closing():
    frame = {"op": "message.send", "id": "a", "room_id": ROOM, "client_id": CLIENT, "body": "x" * 70_000}
    state = after_hello()
    reply = error(receive(state, frame))
    assert (reply["code"], reply["id"]) == ("too_large", "a")
    assert isinstance(receive(state, {"op": "ping"})[0], Perform)


def test_more_than_32_malformed_frames_a_minute_close_the_connection():
    state = after_hello(rates=False)
    for _ in range(32):
        assert len(effects_of(state, b"x", 1.0)) == 1
    assert effects_of(state, b"x", 2.0)[1] == Close(4501, "too many malformed frames")
    assert effects_of(state, b'{"op":"ping"}', 2.0) == []


def test_malformed_frames_are_forgotten_after_a_minute():
    state = after_hello(rates=False)
    for second in range(100):
        assert len(effects_of(state, b"x", second * 2.0)) == 1


def test_frames_beyond_a_burst_are_rate_limited_with_their_id():
    state = after_hello(frames_per_second=20, burst=60)
    replies = [receive(state, {"op": "ping", "id": str(n)}, now=0.0) for n in range(60)]
    assert sum(isinstance(effects[0], Perform) for effects in replies) == 59  # hello took one
    limited = error(replies[-1])
    assert (limited["code"], limited["id"], limited["retry_after"]) == ("rate_limited", "59", 1)
    assert isinstance(receive(state, {"op": "ping"}, now=0.1)[0], Perform)


def test_ten_seconds_of_flooding_close_the_connection_and_a_pause_resets_them():
    state = after_hello(frames_per_second=0.01, burst=1)
    effects = [receive(state, {"op": "ping"}, now=tenth / 10) for tenth in range(102)]
    assert [len(some) for some in effects] == [1] * 101 + [0]
    assert [type(some[0]) for some in effects[:101]] == [Reply] * 100 + [Close]
    assert effects[100] == [Close(4529, "more frames than allowed, for too long")]
    patient = after_hello(frames_per_second=0.01, burst=1)
    times = [second + tenth / 10 for second in range(0, 60, 3) for tenth in range(5)]
    replies = [receive(patient, {"op": "ping"}, now=now) for now in times]
    assert [[type(effect) for effect in some] for some in replies] == [[Reply]] * 100


def test_limits_of_rates_can_be_switched_off_but_not_limits_of_sizes():
    state = after_hello(rates=False, unanswered=10_000)
    effects = [effect for _ in range(500) for effect in receive(state, {"op": "ping"}, now=0.0)]
    assert [type(effect) for effect in effects] == [Perform] * 500
    large = {"op": "message.send", "id": "a", "room_id": ROOM, "client_id": CLIENT, "body": "x" * 70_000}
    assert error(receive(state, large))["code"] == "too_large"
