"""The parser of WebSocket frames: any division of any input, bounded work and memory, errors as early as possible."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from chat_gateway.protocol.errors import CloseCode
from chat_gateway.transport.frame_parser import (
    BINARY,
    CLOSE,
    FRAGMENT,
    PING,
    SLICE,
    SLICE_BYTES,
    TEXT,
    FrameParser,
    ProtocolViolation,
    ReceivedFrame,
)
from shared.testing.websocket_cases import chopped
from shared.testing.websocket_client import CONT, close_frame, fragments, frame

MAX_BYTES = 1000
LARGEST_HEAD = 14
"""Bytes before the payload of a frame, RFC 6455 §5.2."""
LARGEST_CONTROL_PAYLOAD = 125


def parsed(pieces: Sequence[bytes], max_bytes: int = MAX_BYTES) -> list[ReceivedFrame | CloseCode]:
    """Return what the parser returns for the pieces, and at last the code of a violation."""
    parser, results = FrameParser(max_bytes), []
    for piece in pieces:
        parser.feed(piece)
        try:
            while (received := parser.next_frame()) is not None:
                if received.opcode == CLOSE:
                    return [*results, received]
                if received.opcode != SLICE:
                    results.append(received)
        except ProtocolViolation as violation:
            return [*results, violation.code]
        assert parser.unread < LARGEST_HEAD + LARGEST_CONTROL_PAYLOAD
        assert len(parser._message or b"") <= max_bytes
    return results


def divided(data: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    """Divide data at the positions."""
    start = 0
    for cut in sorted({cut % (len(data) + 1) for cut in cuts}):
        yield data[start:cut]
        start = cut
    yield data[start:]


def written(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """Return a frame as websockets writes it, with a random mask."""
    return Frame(Opcode(opcode), payload, final).serialize(mask=True)


PAYLOADS = st.one_of(
    st.binary(max_size=130), st.text(max_size=40).map(str.encode), st.sampled_from([b"", b"*" * 126, b"\xc3\xa9" * 400])
)
FRAMES = st.builds(
    lambda opcode, payload, final, reserved, mask: frame(opcode, payload, final=final, reserved=reserved, mask=mask),
    st.sampled_from([CONT, TEXT, BINARY, CLOSE, PING, 0xA, 0x3, 0xB]),
    PAYLOADS,
    st.sampled_from([True, True, True, False]),
    st.sampled_from([0] * 20 + [1, 4]),
    st.sampled_from([True] * 20 + [False]),
)
CUTS = st.lists(st.integers(0, 2**16), max_size=12)


@given(data=st.lists(st.one_of(FRAMES, FRAMES, FRAMES, st.binary(max_size=20)), max_size=8).map(b"".join), cuts=CUTS)
@settings(max_examples=150, deadline=None)
def test_any_division_of_any_input_gives_the_same_frames(data: bytes, cuts: list[int]):
    whole = parsed([data])
    assert parsed(list(divided(data, cuts))) == whole
    assert parsed(chopped(data, 1)) == whole


@given(
    messages=st.lists(
        st.tuples(st.text(max_size=300), st.lists(st.integers(0, 2000), max_size=4), st.booleans()), max_size=6
    ),
    cuts=CUTS,
)
@settings(max_examples=80, deadline=None)
def test_messages_arrive_as_they_were_sent_however_they_are_fragmented(
    messages: list[tuple[str, list[int], bool]], cuts: list[int]
):
    data, expected = b"", []
    for text, points, with_ping in messages:
        parts = list(divided(text.encode(), points))
        for at, part in enumerate(parts):
            final = at == len(parts) - 1
            data += written(CONT if at else TEXT, part, final=final)
            expected.append(ReceivedFrame(TEXT, text.encode()) if final else ReceivedFrame(FRAGMENT, b""))
            if with_ping:
                data += written(PING, b"between")
                expected.append(ReceivedFrame(PING, b"between"))
    assert parsed(list(divided(data, cuts)), max_bytes=10_000) == expected


@given(text=st.binary(max_size=40), points=st.lists(st.integers(0, 50), max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_text_is_accepted_exactly_if_it_is_utf_8(text: bytes, points: list[int]):
    try:
        text.decode()
        is_valid = True
    except UnicodeDecodeError:
        is_valid = False
    frames = fragments(TEXT, divided(text, points))
    results = parsed([b"".join(frames)])
    assert results[-1] == (ReceivedFrame(TEXT, text) if is_valid else CloseCode.INVALID_DATA)


@pytest.mark.parametrize("final", [True, False], ids=["one frame", "fragments"])
@pytest.mark.parametrize(("size", "fits"), [(MAX_BYTES, True), (MAX_BYTES + 1, False)])
def test_a_message_may_have_exactly_the_largest_size(size: int, fits: bool, final: bool):
    payload = b"*" * size
    pieces = [frame(BINARY, payload)] if final else fragments(BINARY, [payload[:600], payload[600:]])
    assert (parsed(pieces)[-1] == ReceivedFrame(BINARY, payload)) == fits


@pytest.mark.parametrize("head", [b"\x82\xfe\x04\x00", b"\x82\xff" + (2**40).to_bytes(8, "big")], ids=["16", "64 bits"])
def test_a_message_that_is_too_large_fails_with_its_head(head: bytes):
    assert parsed([head]) == [CloseCode.TOO_LARGE]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (0xC1, 0x80),
        (0xA1, 0x80),
        (0x91, 0x80),
        (0x83, 0x80),
        (0x81, 0x00),
        (0x81, 0x05),
        (0x09, 0x80),
        (0x89, 0xFE),
        (0x80, 0x80),
    ],
    ids=[
        "reserved bit 1",
        "reserved bit 2",
        "reserved bit 3",
        "opcode",
        "no mask",
        "no mask of a text",
        "fragmented ping",
        "long ping",
        "continuation",
    ],
)
def test_a_frame_that_is_not_allowed_fails_with_its_first_two_bytes(first: int, second: int):
    assert parsed([bytes((first,))]) == []
    assert parsed([bytes((first, second))]) == [CloseCode.PROTOCOL_ERROR]


@pytest.mark.parametrize(
    ("length", "valid"), [(125, False), (126, True), (2**16 - 1, True), (2**16, True), (2**63, False)]
)
def test_a_length_is_encoded_in_as_few_bytes_as_possible(length: int, valid: bool):
    head = (b"\x82\xfe" + length.to_bytes(2, "big")) if length < 2**16 else (b"\x82\xff" + length.to_bytes(8, "big"))
    assert parsed([head + bytes(4)], max_bytes=2**62) == ([] if valid else [CloseCode.PROTOCOL_ERROR])
    assert parsed([b"\x82\xff" + (2**16 - 1).to_bytes(8, "big")]) == [CloseCode.PROTOCOL_ERROR]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_may_not_begin_inside_another(opcode: int):
    first = frame(TEXT, b"a", final=False)
    assert parsed([first + frame(opcode, b"b")]) == [ReceivedFrame(FRAGMENT, b""), CloseCode.PROTOCOL_ERROR]


def test_one_call_reads_a_bounded_part_of_a_large_message():
    assert SLICE_BYTES == 64 * 1024
    parser = FrameParser(10 * SLICE_BYTES)
    parser.feed(frame(TEXT, b"*" * (3 * SLICE_BYTES + 1)))
    for part in (3, 2, 1):
        assert parser.next_frame() == ReceivedFrame(SLICE, b"")
        assert parser.unread == (part - 1) * SLICE_BYTES + 1
    assert parser.next_frame() == ReceivedFrame(TEXT, b"*" * (3 * SLICE_BYTES + 1))
    assert parser.next_frame() is None


def test_one_call_returns_at_most_one_frame():
    parser = FrameParser(MAX_BYTES)
    parser.feed(frame(PING, b"1") + frame(TEXT, b"2") + frame(TEXT, b"3", final=False))
    assert [parser.next_frame() for _ in range(4)] == [
        ReceivedFrame(PING, b"1"), ReceivedFrame(TEXT, b"2"), ReceivedFrame(FRAGMENT, b""), None,
    ]  # fmt: skip
    assert parser.unread == 0


def test_an_idle_parser_keeps_no_input():
    parser = FrameParser(MAX_BYTES)
    parser.feed(frame(TEXT, b"*" * 1000))
    assert parser.next_frame() is not None
    assert parser.next_frame() is None
    assert (parser._input, parser._message) == (b"", None)


def test_empty_fragments_take_no_memory():
    parser = FrameParser(MAX_BYTES)
    parser.feed(frame(TEXT, b"", final=False) + frame(CONT, b"", final=False) * 10_000)
    while parser.next_frame() is not None:
        pass
    assert parser._message == b""


@pytest.mark.parametrize("size", [4, SLICE_BYTES + 2])
def test_a_binary_message_may_have_any_bytes(size: int):
    payload = b"\xff" * size
    for pieces in ([frame(BINARY, payload)], fragments(BINARY, [payload[:3], payload[3:]])):
        assert parsed(pieces, max_bytes=size)[-1] == ReceivedFrame(BINARY, payload)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"\x03", CloseCode.PROTOCOL_ERROR),
        ((1005).to_bytes(2, "big"), CloseCode.PROTOCOL_ERROR),
        ((1000).to_bytes(2, "big") + b"\xff", CloseCode.INVALID_DATA),
    ],
    ids=["one byte", "a code that must not be sent", "a reason that is not UTF-8"],
)
def test_a_close_frame_is_checked(payload: bytes, code: CloseCode):
    assert parsed([frame(CLOSE, payload)]) == [code]


@pytest.mark.parametrize("code", [1012, 1013, 1014])
def test_registered_close_codes_are_accepted(code: int):
    assert parsed([close_frame(code)]) == [ReceivedFrame(CLOSE, code.to_bytes(2, "big"))]
