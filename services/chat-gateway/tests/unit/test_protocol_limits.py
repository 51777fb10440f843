"""The limits of the protocol: what is documented, and the first value beyond each."""

import json
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

import pytest

from chat_gateway.protocol import parse as parsing
from chat_gateway.protocol.asyncapi import asyncapi_document
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.effects import Close, Effect, Perform, Reply, Start
from chat_gateway.protocol.errors import CloseCode, FrameError
from chat_gateway.protocol.frames import FileUpload
from chat_gateway.protocol.limits import MAX_UPLOAD_BASE64_LENGTH, MAX_WEBSOCKET_MESSAGE_BYTES, Limits
from chat_gateway.protocol.parse import frame_id, parse
from chat_gateway.protocol.resume import is_member_event
from shared.errors import ErrorCode
from shared.roomlog.frames import text_frame

from ..harness import FakeTransport, effects_of, new_connection  # noqa: TID252 - the tests of one service

DOCS = Path(__file__).parents[4] / "docs" / "protocol"
PROTOCOL = (DOCS / "README.md").read_text()
ROOM = "0190c0de-0000-7000-8000-000000000001"
CLIENT = "0190c0de-0000-4000-8000-00000000000a"
UPLOAD = {"op": "file.upload", "id": "u", "room_id": ROOM, "client_id": CLIENT, "filename": "f", "data": ""}
PING = b'{"op":"ping"}'


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def error_of(data: bytes, frame_bytes: int = 1_000_000) -> FrameError:
    with pytest.raises(FrameError) as raised:
        parse(data, frame_bytes=frame_bytes)
    return raised.value


def after_hello(**limits: object) -> Connection:
    state = new_connection(FakeTransport(), **limits)
    effects_of(state, b'{"op":"hello"}', 0.0)
    state.handshake_done = True
    return state


def kinds(effects: list[Effect]) -> list[type]:
    return [type(effect) for effect in effects]


def test_the_limits_are_the_documented_ones():
    limits = Limits()
    assert limits.rates
    assert f"| frame | {limits.frame_bytes // 1024} KiB" in PROTOCOL
    assert limits.frame_bytes % 1024 == 0
    assert f"{limits.frames_per_second} frames per second, bursts of {limits.burst};" in PROTOCOL
    assert f"beyond {limits.excess_frames} more the socket is closed with 1008 |" in PROTOCOL
    assert (
        f"| pings and pongs | {limits.control_frames_per_second} per second, bursts of {limits.control_burst}"
        in PROTOCOL
    )
    assert f"| fragments | {limits.fragments_per_second:,} per second, bursts of {limits.fragment_burst:,}" in PROTOCOL
    assert (
        f"| bytes | {limits.bytes_per_second // 2**20} MiB per second, bursts of {limits.byte_burst // 2**20} MiB"
        in PROTOCOL
    )
    assert f"| unanswered frames | {limits.unanswered};" in PROTOCOL
    assert f"| heartbeat | a ping every {limits.heartbeat_seconds} s" in PROTOCOL
    assert f"| sockets per user | {limits.sockets_per_user};" in PROTOCOL
    assert f"The first frame is `hello`, within {limits.hello_seconds} s" in PROTOCOL
    assert "| queued live events | 1 MiB," in PROTOCOL
    assert limits.outbound_bytes == 2**20
    assert "above 8 MiB the socket is closed with 1009" in PROTOCOL
    assert MAX_WEBSOCKET_MESSAGE_BYTES == 8 * 2**20
    assert "4529 ten seconds of flooding" in PROTOCOL
    assert limits.limited_seconds == 10
    assert (limits.malformed_per_minute, limits.drain_seconds) == (32, 1.5)


def test_the_close_codes_are_the_documented_ones():
    meanings = [
        (CloseCode.PROTOCOL_ERROR, "a frame that RFC 6455 forbids"), (CloseCode.INVALID_DATA, "text that is not UTF-8"),
        (CloseCode.POLICY_VIOLATION, "far more than a rate allows"), (CloseCode.TOO_LARGE, "a message over 8 MiB"),
        (CloseCode.GOING_AWAY, "restart"), (CloseCode.TRY_AGAIN, "a service is unavailable"),
        (CloseCode.SLOW_READER, "slow reader"), (CloseCode.HEARTBEAT_MISSED, "missed heartbeats"),
        (CloseCode.EPOCH_CHANGED, "new epoch"), (CloseCode.SESSION_GONE, "session gone"),
        (CloseCode.NO_HELLO, "no `hello`"), (CloseCode.TOO_MANY_SOCKETS, "too many sockets"),
        (CloseCode.WRONG_VERSION, "unsupported protocol version"), (CloseCode.MALFORMED, "too many malformed frames"),
        (CloseCode.FLOOD, "ten seconds of flooding"),
    ]  # fmt: skip
    for code, meaning in meanings:
        assert f"{code.value} {meaning}" in PROTOCOL
    assert set(CloseCode) == {code for code, _ in meanings}


@pytest.mark.parametrize(
    ("frame", "field", "valid", "invalid"),
    [
        ({"op": "ping"}, "id", "x" * 128, "x" * 129),
        ({"op": "hello"}, "cursors", {"r": 0}, {"r": -1}),
        ({"op": "hello"}, "cursors", {"r": 2**53 - 1}, {"r": 2**53}),
        ({"op": "hello"}, "cursors", dict.fromkeys(map(str, range(1000)), 1), dict.fromkeys(map(str, range(1001)), 1)),
        ({"op": "home.list"}, "limit", 1, 0),
        ({"op": "home.list"}, "limit", 200, 201),
        ({"op": "message.list", "room_id": ROOM}, "offset", 0, -1),
        ({"op": "message.list", "room_id": ROOM}, "offset", 2**53 - 1, 2**53),
        ({"op": "room.invite", "room_id": ROOM}, "user_ids", ["u"], []),
        ({"op": "room.invite", "room_id": ROOM}, "user_ids", ["u"] * 100, ["u"] * 101),
        (UPLOAD, "filename", "f", ""),
        (UPLOAD, "filename", "f" * 255, "f" * 256),
        ({"op": "presence.watch"}, "user_ids", ["u"] * 200, ["u"] * 201),
    ],
)
def test_the_last_valid_and_the_first_invalid_value(
    frame: dict[str, object], field: str, valid: object, invalid: object
):
    assert getattr(parse(encoded(frame | {field: valid}), frame_bytes=1_000_000), field) == valid
    error = error_of(encoded(frame | {field: invalid}))
    assert error.code == ErrorCode.INVALID
    assert field in error.detail
    assert not error.malformed


def test_fields_that_are_left_out_have_their_default():
    enter = parse(encoded({"op": "room.enter", "room_id": ROOM}), frame_bytes=100)
    react = parse(encoded({"op": "message.react", "room_id": ROOM, "seq": 1, "emoji": "a"}), frame_bytes=100)
    assert (enter.mark_read, react.remove) == (True, False)  # type: ignore[union-attr]


def test_a_frame_may_have_exactly_the_limit_of_bytes():
    assert parse(PING, frame_bytes=len(PING)).id is None
    assert error_of(PING, len(PING) - 1).code == ErrorCode.TOO_LARGE


def test_only_an_upload_may_be_larger_and_its_file_has_5_mib_in_base64():
    largest = encoded(UPLOAD | {"data": "x" * MAX_UPLOAD_BASE64_LENGTH})
    upload = parse(largest, frame_bytes=1000)
    assert isinstance(upload, FileUpload)
    assert upload.data == "x" * MAX_UPLOAD_BASE64_LENGTH
    assert len(b64encode(bytes(5 * 2**20))) == MAX_UPLOAD_BASE64_LENGTH
    error = error_of(encoded(UPLOAD | {"data": "x" * (MAX_UPLOAD_BASE64_LENGTH + 1)}), 1000)
    assert (error.code, error.frame_id) == (ErrorCode.TOO_LARGE, "u")


def test_a_large_upload_may_have_its_fields_in_any_order_and_characters_escaped():
    first = {"data": "QUJD" * 1000} | UPLOAD | {"body": "after"}
    data = encoded({"data": "QUJD" * 1000} | {name: value for name, value in first.items() if name != "data"})
    upload = parse(bytearray(data), frame_bytes=1000)
    assert isinstance(upload, FileUpload)
    assert (upload.data, upload.id, upload.body) == ("QUJD" * 1000, "u", "after")
    escaped = encoded(UPLOAD | {"data": "+/+/" * 1000}).replace(b"/", b"\\/").replace(b"+", b"\\u002B")
    assert parse(escaped, frame_bytes=1000).data == "+/+/" * 1000  # type: ignore[union-attr]


def test_what_surrounds_the_file_of_an_upload_may_have_exactly_the_limit_of_bytes():
    empty = len(encoded(UPLOAD))
    for size, fits in ((1000, True), (1001, False)):
        data = encoded(UPLOAD | {"filename": "f" * 200, "x": "y" * (size - empty - 199 - len(', "x": ""'))})
        data = data.replace(b'"data": ""', b'"data": "%b"' % (b"x" * 5000))
        if fits:
            assert isinstance(parse(data, frame_bytes=1000), FileUpload)
        else:
            error = error_of(data, 1000)
            assert (error.code, error.frame_id) == (ErrorCode.TOO_LARGE, "u")
            assert error.detail == "An upload holds at most 1000 bytes, besides the text of `data`."


_SURROUNDED = "An upload holds at most 1000 bytes, besides"


@pytest.mark.parametrize(
    ("fields", "code", "detail"),
    [
        ({"data": [{"a": 1}] * 500}, ErrorCode.TOO_LARGE, _SURROUNDED),
        ({"x": [[1, "a", {}]] * 500, "data": "QUJD"}, ErrorCode.TOO_LARGE, _SURROUNDED),
        ({"x": {"data": "x" * 2000}, "data": "QUJD"}, ErrorCode.TOO_LARGE, _SURROUNDED),
        ({"data": {"data": "x" * 2000}}, ErrorCode.INVALID, "data: Expected `str`, got `object`"),
        ({"x": {"data": "x" * 2000}, "data": None}, ErrorCode.INVALID, "data: Expected `str`, got `null`"),
        ({"data": "x" * 2000, "body": 5}, ErrorCode.INVALID, "body: Expected `str`, got `int`"),
        ({"data": "x" * 2000 + '"'}, ErrorCode.INVALID, "data: must be base64."),
        ({"data": "x" * 2000 + "\ud800"}, ErrorCode.INVALID, "data: must be base64."),
    ],
    ids=["a list", "another field is large", "another field has the text", "an object", "no file",
         "another field is invalid", "an escaped quotation mark", "a surrogate"],
)  # fmt: skip
def test_a_large_upload_of_a_wrong_shape_is_rejected(fields: dict[str, object], code: ErrorCode, detail: str):
    data = encoded({name: value for name, value in UPLOAD.items() if name != "data"} | fields)
    error = error_of(data, 1000)
    assert (error.code, error.frame_id) == (code, "u")
    assert error.detail.startswith(detail)


def test_only_a_bounded_part_of_a_large_frame_is_decoded(monkeypatch: pytest.MonkeyPatch):
    """Decoding 7 MiB of wrong JSON took half a second, in which nobody else was served."""
    decoded: list[int] = []

    def decode(data: bytes) -> object:
        decoded.append(len(data))
        return real(data)

    real = parsing._decode
    monkeypatch.setattr(parsing, "_decode", decode)
    for value in ([{"a": 1}] * 900_000, {"data": "x" * 7_000_000, "y": ["z"] * 100_000}, "x" * 7_000_000):
        data = encoded({name: part for name, part in UPLOAD.items() if name != "data"} | {"data": value})
        with suppress(FrameError):
            parse(data, frame_bytes=64 * 1024)
    assert decoded
    assert max(decoded) <= 64 * 1024 + len(b"\\u0000")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"op":"ping","id":"a"}', "a"),
        (b'{"id":"%b"}' % (b"a" * 128), "a" * 128),
        (b'{ "id" : "\\u00e9\\"" }', 'é"'),
        (b'{"op":"ping","id":"', None),
        (b'{"op":"ping","id":5}', None),
        (b'{"id":"\\ud800"}', None),
        (b'{"id":"\xff"}', None),
        (b'{"body":"\\"id\\":\\"x\\""}', None),
        (b'{"x":"' + b"y" * 5000 + b'","id":"a"}', None),
    ],
    ids=["text", "long", "escapes", "incomplete", "number", "surrogate", "no UTF-8", "inside a string", "far behind"],
)
def test_the_id_of_a_frame_is_found_without_decoding_it(data: bytes, expected: str | None):
    assert frame_id(data) == expected


@pytest.mark.parametrize(
    ("data", "code", "frame_id"),
    [
        (encoded({"op": "ping", "id": "a", "x": "y" * 100}), ErrorCode.TOO_LARGE, "a"),
        (encoded({"op": "room.read", "id": "a", "x": "y" * 100}), ErrorCode.TOO_LARGE, "a"),
        (encoded({"op": "nothing", "id": "a", "x": "y" * 100}), ErrorCode.UNKNOWN_OP, "a"),
        (b"x" * 101, ErrorCode.TOO_LARGE, None),
        (b'{"op":"\xff","x":"' + b"y" * 100 + b'"}', ErrorCode.TOO_LARGE, None),
        (b'{"op":"ping","x":' + b"[" * 100_000, ErrorCode.TOO_LARGE, None),
    ],
    ids=["command", "later in the alphabet", "unknown", "no JSON", "no UTF-8", "too deep"],
)
def test_a_larger_frame_is_rejected_before_it_is_decoded(data: bytes, code: ErrorCode, frame_id: str | None):
    error = error_of(data, 100)
    assert (error.code, error.frame_id, error.malformed) == (code, frame_id, False)


@pytest.mark.parametrize(
    ("escape", "is_text"),
    [("\\ud7ff", True), ("\\ud800", False), ("\\udbff", False), ("\\udfff", False), ("\\ue000", True)],
)
def test_surrogates_are_not_text(escape: str, is_text: bool):
    error = error_of(f'{{"op":"x{escape}","id":"a"}}'.encode())
    assert (error.code, error.malformed) == ((ErrorCode.UNKNOWN_OP, False) if is_text else (ErrorCode.BAD_FRAME, True))
    named = error_of(f'{{"op":"ping","id":"a{escape}","id":5,"id":"a{escape}","x":1e999}}'.encode())
    assert (named.code == ErrorCode.INVALID) == is_text


@pytest.mark.parametrize(
    ("data", "malformed"),
    [
        (b"nonsense", True), (b"[]", True), (b"{}", True), (b'{"op":"ping","id":5}', True),
        (b'{"op":"nothing"}', False), (b'{"op":"file.upload"}', False), (b'{"op":"ping","x":NaN}', False),
    ],
)  # fmt: skip
def test_only_a_frame_without_an_op_is_malformed(data: bytes, malformed: bool):
    assert error_of(data).malformed == malformed


def test_the_error_of_a_field_reads_as_field_and_problem():
    data = encoded({"op": "message.edit", "room_id": ROOM, "seq": "5", "body": "x"})
    assert error_of(data).detail == "seq: Expected `int`, got `str`"
    missing = error_of(b'{"op":"room.leave"}').detail
    assert missing == "Object missing required field `room_id`"


@pytest.mark.parametrize("size", [0, 200, 70_000])
def test_a_membership_event_is_recognised_in_a_frame_of_any_size(size: int):
    assert is_member_event(text_frame(b'{"op":"member.left","x":"' + b"y" * size + b'"}'))
    assert not is_member_event(text_frame(b'{"op":"message.edited","x":"' + b"y" * size + b'"}'))


def test_a_closing_connection_ignores_frames_but_an_open_one_starts_with_hello():
    state = new_connection(FakeTransport())
    assert (state.hello_received, state.closing, state.unanswered) == (False, False, 0)
    assert kinds(effects_of(state, b'{"op":"hello"}', 0.0)) == [Start]
    assert (state.hello_received, state.closing, state.unanswered) == (True, False, 0)


def test_an_idle_connection_gains_a_burst_and_no_more():
    state = after_hello(frames_per_second=2, burst=3)
    assert [kinds(effects_of(state, PING, 100.0)) for _ in range(4)] == [[Perform]] * 3 + [[Reply]]
    assert kinds(effects_of(state, PING, 100.25)) == [Reply]  # half a token
    assert kinds(effects_of(state, PING, 100.5)) == [Perform]  # one token


def test_each_frame_beyond_the_rate_gets_an_error_until_there_are_far_too_many():
    state = after_hello(frames_per_second=1, burst=3, excess_frames=4)
    answers = [effects_of(state, b'{"op":"ping","id":"%d"}' % number, 5.0) for number in range(9)]
    assert [kinds(effects) for effects in answers] == [[Perform]] * 3 + [[Reply]] * 4 + [[Close], []]
    limited = [
        json.loads(effect.payload)["id"] for effects in answers for effect in effects if isinstance(effect, Reply)
    ]
    assert limited == ["3", "4", "5", "6"]
    assert answers[7] == [Close(CloseCode.POLICY_VIOLATION, "far more frames than allowed")]


def test_the_frames_beyond_the_rate_refill_like_the_rate():
    state = after_hello(frames_per_second=2, burst=1, excess_frames=1)
    assert [kinds(effects_of(state, PING, 5.0)) for _ in range(2)] == [[Perform], [Reply]]
    assert [kinds(effects_of(state, PING, 5.5)) for _ in range(3)] == [[Perform], [Reply], [Close]]


def test_a_frame_beyond_the_rate_is_not_decoded(monkeypatch: pytest.MonkeyPatch):
    state = after_hello(frames_per_second=1, burst=0)
    monkeypatch.setattr(parsing, "_decode", None)
    [reply] = effects_of(state, b'{"op":"ping","id":"a","x":' + b"[" * 100_000, 0.0)
    assert isinstance(reply, Reply)
    assert json.loads(reply.payload)["id"] == "a"


@pytest.mark.parametrize(("pause", "closes"), [(1.5, True), (2.0, True), (2.25, False)])
def test_a_pause_of_more_than_two_seconds_starts_flooding_anew(pause: float, closes: bool):
    state = after_hello(frames_per_second=0.0001, burst=1, limited_seconds=4)
    effects = [effect for number in range(4) for effect in effects_of(state, PING, 50 + pause * number)]
    assert (Close in kinds(effects)) == closes


def test_flooding_begins_with_the_first_frame_beyond_the_limit():
    state = after_hello(frames_per_second=0.0001, burst=1, limited_seconds=4)
    times = [50.0, 51.5, 53.0, 53.75, 54.0]
    assert [kinds(effects_of(state, PING, now)) for now in times] == [[Reply]] * 4 + [[Close]]


def test_a_malformed_frame_counts_for_a_minute():
    state = after_hello(rates=False, malformed_per_minute=1)
    effects = [kinds(effects_of(state, b"x", now)) for now in (10.0, 71.0, 131.0, 190.5)]
    assert effects == [[Reply], [Reply], [Reply], [Reply, Close]]


def test_a_binary_frame_is_malformed():
    state = after_hello(malformed_per_minute=0)
    assert kinds(effects_of(state, PING, 1.0, binary=True)) == [Reply, Close]


def test_a_connection_is_full_from_the_limit_on():
    state = after_hello(unanswered=2)
    full = []
    for _ in range(3):
        effects_of(state, PING, 1.0)
        full.append(state.full)
    assert full == [False, True, True]


def test_a_limit_may_be_any_number():
    """Python has one object for each small integer, so a comparison of objects would show only above 256."""
    state = after_hello(rates=False, unanswered=300)
    for _ in range(300):
        assert kinds(effects_of(state, PING, 1.0)) == [Perform]
    assert state.full
    assert kinds(effects_of(state, PING, 1.0)) == []


def test_a_limited_frame_without_json_has_no_id():
    state = after_hello(frames_per_second=0.0001, burst=1)
    [reply] = effects_of(state, b"x", 1.0)
    assert isinstance(reply, Reply)
    assert json.loads(reply.payload) == {
        "op": "error", "code": "rate_limited", "detail": "More frames than allowed.", "retry_after": 1,
    }  # fmt: skip


def test_the_asyncapi_document_is_the_published_one():
    published = json.loads((DOCS / "asyncapi.json").read_text())
    info = published["info"]
    assert asyncapi_document(info["version"], info["description"]) == published
