"""Any input gives a frame or an error of the protocol."""

import json
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_gateway.protocol.effects import Close, Reply
from chat_gateway.protocol.errors import FrameError
from chat_gateway.protocol.frames import OPS, AnyFrame, FileUpload
from chat_gateway.protocol.parse import frame_id, parse

from ..harness import FakeTransport, effects_of, new_connection  # noqa: TID252 - the tests of one service

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FIELDS = sorted({name for frame in AnyFrame.__args__ for name in frame.__struct_fields__})
OBJECTS = st.builds(
    lambda op, fields, op_is_first: {"op": op} | fields if op_is_first else fields | {"op": op},
    st.sampled_from(sorted(OPS)) | JSON,
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6),
    st.booleans(),
)


def damaged(text: str, cut: int, byte: int) -> bytes:
    """Replace one byte of the JSON."""
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if data:
        data[cut % len(data)] = byte
    return bytes(data)


VALID = (JSON | OBJECTS).map(json.dumps).map(str.encode)
DAMAGED = st.builds(damaged, OBJECTS.map(json.dumps), st.integers(0, 2**16), st.integers(0, 255))
INPUT = st.one_of(OBJECTS.map(json.dumps).map(str.encode), VALID, DAMAGED, st.binary(max_size=60))


def result(data: bytes | bytearray, frame_bytes: int) -> AnyFrame | FrameError:
    try:
        return parse(data, frame_bytes=frame_bytes)
    except FrameError as error:
        return error


@given(data=INPUT, frame_bytes=st.sampled_from([10, 40, 10_000]))
@settings(max_examples=200, deadline=None)
def test_any_input_gives_a_frame_or_an_error(data: bytes, frame_bytes: int):
    one = result(data, frame_bytes)
    if isinstance(one, FrameError):
        assert one.detail
        assert one.frame_id is None or isinstance(one.frame_id, str)
    else:
        assert len(data) <= frame_bytes or isinstance(one, FileUpload)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@given(data=INPUT)
@settings(max_examples=60, deadline=None)
def test_any_frame_has_effects_that_can_be_written(binary: bool, data: bytes):
    connection = new_connection(FakeTransport(), rates=True, burst=1, excess_frames=1)
    for _ in range(3):
        for effect in effects_of(connection, data, 0.0, binary=binary):
            if isinstance(effect, Reply):
                assert json.loads(effect.payload)["op"] == "error"
            elif isinstance(effect, Close):
                assert connection.closing
    assert connection.closing or connection.hello_received


UPLOADS = st.fixed_dictionaries(
    {
        "op": st.just("file.upload"),
        "id": st.text(max_size=20),
        "room_id": st.text(max_size=20),
        "client_id": st.uuids().map(str),
        "filename": st.text(min_size=1, max_size=20),
        "data": st.text("ABCxyz019+/=", max_size=200),
    },
    optional={"body": st.text(max_size=20), "traceparent": st.text(max_size=20)},
)


@given(upload=UPLOADS, order=st.randoms(), escaped=st.booleans(), indent=st.sampled_from([None, 2]))
@settings(max_examples=150, deadline=None)
def test_a_large_upload_is_read_as_a_small_one(
    upload: dict[str, str], order: Random, escaped: bool, indent: int | None
):
    names = list(upload)
    order.shuffle(names)
    data = json.dumps({name: upload[name] for name in names}, indent=indent).encode()
    data = data.replace(b"/", b"\\/") if escaped else data
    small = result(data, len(data))
    surroundings = len(data) - len(upload["data"].replace("/", "\\/") if escaped else upload["data"])
    large = result(bytearray(data), min(surroundings, len(data) - 1))
    assert isinstance(small, FileUpload)
    assert large == small or not upload["data"]


@given(data=INPUT)
@settings(max_examples=100, deadline=None)
def test_an_id_that_is_found_without_decoding_is_text(data: bytes):
    found = frame_id(data)
    assert found is None or found.encode().decode() == found


@pytest.mark.parametrize("build", [lambda size: b"[" * size, lambda size: b'{"op":' * size, lambda size: b'"' * size])
def test_deep_nesting_is_an_error(build: Callable[[int], bytes]):
    for size in (100, 5_000, 30_000):
        assert isinstance(result(build(size), 10**6), FrameError)
        assert isinstance(result(build(size), 64), FrameError)
