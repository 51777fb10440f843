"""Parsing of client frames.

A valid frame is decoded once. An invalid frame is decoded again, without a type, to find out what is wrong with it. Of
a large frame, only what surrounds the file of an upload is decoded, so the work is bounded whatever the frame contains.
"""

import json
import re
from typing import Any, Final

import msgspec

from chat_gateway.protocol.errors import FrameError
from chat_gateway.protocol.frames import OPS, AnyFrame, FileUpload
from chat_gateway.protocol.limits import MAX_UPLOAD_BASE64_LENGTH
from shared.errors import ErrorCode, field_and_problem

_UPLOAD = str(FileUpload.__struct_config__.tag)
_decoder = msgspec.json.Decoder(AnyFrame)
_text_decoder = msgspec.json.Decoder(str)

_HEAD_BYTES: Final = 4096
"""`op` and `id` are searched in so many bytes, where a frame is not decoded."""
# Quotation marks inside a JSON string are escaped, so each of these matches a field.
_OP = re.compile(rb'"op"\s*:\s*"([!#-\[\]-~]{1,64})"')
_ID = re.compile(rb'"id"\s*:\s*("(?:[^"\\]|\\.)*")')
_DATA = re.compile(rb'"data"\s*:\s*"')
_BACKSLASH: Final = ord("\\")
_PLACEHOLDER = "\0"
"""Replaces the file in what is decoded of an upload."""


def parse(data: bytes | bytearray, *, frame_bytes: int) -> AnyFrame:
    """Return the frame. Raises FrameError."""
    frame = _decode(data) if len(data) <= frame_bytes else _decode_large(data, frame_bytes)
    if isinstance(frame, FileUpload) and len(frame.data) > MAX_UPLOAD_BASE64_LENGTH:
        raise FrameError(ErrorCode.TOO_LARGE, "data: a file over the socket has at most 5 MiB.", frame.id)
    return frame


def frame_id(data: bytes | bytearray) -> str | None:
    """Return the `id` of a frame without decoding the frame, if it is among the first fields."""
    match = _ID.search(data, 0, _HEAD_BYTES)
    try:
        return None if match is None else _text_decoder.decode(match[1])
    except ValueError:
        return None


def _decode(data: bytes | bytearray) -> AnyFrame:
    try:
        frame: AnyFrame = _decoder.decode(data)
    except (ValueError, RecursionError) as error:
        raise _diagnose(data, error) from error
    return frame


def _decode_large(data: bytes | bytearray, frame_bytes: int) -> FileUpload:
    """Decode an upload: without its file, it has at most `frame_bytes`. No other frame may be larger than that."""
    start = _DATA.search(data, 0, frame_bytes)
    end = data.find(b'"', start.end()) if start is not None else -1
    if start is None or end < 0 or start.end() + len(data) - end > frame_bytes:
        raise _too_large(data, frame_bytes)
    if data[end - 1] == _BACKSLASH:  # a quotation mark inside the text
        raise _not_base64(frame_id(data))
    frame = _decode(b"".join((data[: start.end()], rb"\u0000", data[end:])))
    if not isinstance(frame, FileUpload) or frame.data != _PLACEHOLDER:
        raise _too_large(data, frame_bytes)
    try:
        frame.data = _text_decoder.decode(memoryview(data)[start.end() - 1 : end + 1])
    except ValueError as error:
        raise _not_base64(frame.id) from error
    return frame


def _not_base64(id_: str | None) -> FrameError:
    return FrameError(ErrorCode.INVALID, "data: must be base64.", id_)


def _too_large(data: bytes | bytearray, frame_bytes: int) -> FrameError:
    op = _OP.search(data, 0, _HEAD_BYTES)
    if op is None:
        return FrameError(ErrorCode.TOO_LARGE, f"A frame holds at most {frame_bytes} bytes.", frame_id(data))
    if (name := op[1].decode()) not in OPS:
        return FrameError(ErrorCode.UNKNOWN_OP, "There is no such op.", frame_id(data))
    detail = f"A frame of this op holds at most {frame_bytes} bytes."
    if name == _UPLOAD:
        detail = f"An upload holds at most {frame_bytes} bytes, besides the text of `data`."
    return FrameError(ErrorCode.TOO_LARGE, detail, frame_id(data))


def _diagnose(data: bytes | bytearray, error: Exception) -> FrameError:
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        return FrameError(ErrorCode.BAD_FRAME, "The frame is not valid JSON.", malformed=True)
    if not isinstance(value, dict):
        return FrameError(ErrorCode.BAD_FRAME, "The frame is not a JSON object.", malformed=True)
    return _diagnose_fields(value, error)


def _diagnose_fields(value: dict[str, Any], error: Exception) -> FrameError:
    op, id_ = value.get("op"), value.get("id")
    if id_ is not None and not _is_text(id_):
        return FrameError(ErrorCode.BAD_FRAME, "`id` is not a string.", malformed=True)
    if not _is_text(op):
        return FrameError(ErrorCode.BAD_FRAME, "`op` is not a string.", id_, malformed=True)
    if op not in OPS:
        return FrameError(ErrorCode.UNKNOWN_OP, "There is no such op.", id_)
    if isinstance(error, msgspec.ValidationError):
        return FrameError(ErrorCode.INVALID, _readable(error), id_)
    return FrameError(ErrorCode.INVALID, "A field contains text or a number that cannot be decoded.", id_)


def _is_text(value: object) -> bool:
    """Return whether the value is a string without lone surrogates, which cannot be encoded as UTF-8."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _readable(error: Exception) -> str:
    """Turn `Expected `int` >= 1 - at `$.seq`` into `seq: Expected `int` >= 1`."""
    field, problem = field_and_problem(error)
    return f"{field}: {problem}" if field else problem
