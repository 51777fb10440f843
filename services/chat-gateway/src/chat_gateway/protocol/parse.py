"""Parsing of client frames.

A valid frame is decoded once. An invalid frame is decoded again, without a type, to find out what is wrong with it.
"""

import json
from typing import Any

import msgspec

from chat_gateway.protocol.errors import FrameError
from chat_gateway.protocol.frames import OPS, AnyFrame, FileUpload
from chat_gateway.protocol.limits import MAX_UPLOAD_BASE64_LENGTH
from shared.errors import ErrorCode, field_and_problem

_UPLOAD = str(FileUpload.__struct_config__.tag)
_decoder = msgspec.json.Decoder(AnyFrame)


class _Head(msgspec.Struct):
    op: str
    id: str | None = None


_head_decoder = msgspec.json.Decoder(_Head)


def parse(data: bytes, *, frame_bytes: int) -> AnyFrame:
    """Return the frame. Raises FrameError."""
    if len(data) > frame_bytes:
        _check_large(data, frame_bytes)
    try:
        frame: AnyFrame = _decoder.decode(data)
    except (ValueError, RecursionError) as error:
        raise _diagnose(data, error) from error
    if isinstance(frame, FileUpload) and len(frame.data) > MAX_UPLOAD_BASE64_LENGTH:
        raise FrameError(ErrorCode.TOO_LARGE, "data: a file over the socket has at most 5 MiB.", frame.id)
    return frame


def _check_large(data: bytes, frame_bytes: int) -> None:
    """Raise FrameError unless the frame is an upload. Only uploads may exceed `frame_bytes`."""
    try:
        head = _head_decoder.decode(data)
    except (ValueError, RecursionError) as error:
        raise FrameError(ErrorCode.TOO_LARGE, f"A frame holds at most {frame_bytes} bytes.") from error
    if head.op not in OPS:
        raise FrameError(ErrorCode.UNKNOWN_OP, "There is no such op.", head.id)
    if head.op != _UPLOAD:
        raise FrameError(ErrorCode.TOO_LARGE, f"A frame of this op holds at most {frame_bytes} bytes.", head.id)


def _diagnose(data: bytes, error: Exception) -> FrameError:
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        return FrameError(ErrorCode.BAD_FRAME, "The frame is not valid JSON.", malformed=True)
    if not isinstance(value, dict):
        return FrameError(ErrorCode.BAD_FRAME, "The frame is not a JSON object.", malformed=True)
    return _diagnose_fields(value, error)


def _diagnose_fields(value: dict[str, Any], error: Exception) -> FrameError:
    op, frame_id = value.get("op"), value.get("id")
    if frame_id is not None and not _is_text(frame_id):
        return FrameError(ErrorCode.BAD_FRAME, "`id` is not a string.", malformed=True)
    if not _is_text(op):
        return FrameError(ErrorCode.BAD_FRAME, "`op` is not a string.", frame_id, malformed=True)
    if op not in OPS:
        return FrameError(ErrorCode.UNKNOWN_OP, "There is no such op.", frame_id)
    if isinstance(error, msgspec.ValidationError):
        return FrameError(ErrorCode.INVALID, _readable(error), frame_id)
    return FrameError(ErrorCode.INVALID, "A field contains text or a number that cannot be decoded.", frame_id)


def _is_text(value: object) -> bool:
    """Return whether the value is a string without lone surrogates, which cannot be encoded as UTF-8."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _readable(error: Exception) -> str:
    """Turn `Expected `int` >= 1 - at `$.seq`` into `seq: Expected `int` >= 1`."""
    field, problem = field_and_problem(error)
    return f"{field}: {problem}" if field else problem
