"""A client's text as a typed frame, or what is wrong with it.

Well-formed frames are decoded once; the rest is looked at again, slowly, to say what was wrong with which field.
"""

import json
from typing import Any

import msgspec

from chat_gateway.protocol.errors import FrameError
from chat_gateway.protocol.frames import OPS, AnyFrame, FileUpload
from chat_gateway.protocol.limits import MAX_UPLOAD_TEXT

_UPLOAD = str(FileUpload.__struct_config__.tag)
_decoder = msgspec.json.Decoder(AnyFrame)


class _Head(msgspec.Struct):
    op: str
    id: str | None = None


_head_decoder = msgspec.json.Decoder(_Head)


def parse(data: bytes, *, frame_bytes: int) -> AnyFrame:
    """Raises FrameError."""
    if len(data) > frame_bytes:
        _check_large(data, frame_bytes)
    try:
        frame: AnyFrame = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise _diagnose(data, error) from error
    if isinstance(frame, FileUpload) and len(frame.data) > MAX_UPLOAD_TEXT:
        raise FrameError("too_large", "data: a file over the socket has at most 5 MiB.", frame.id)
    return frame


def _check_large(data: bytes, frame_bytes: int) -> None:
    """Only an upload may be larger than other frames."""
    try:
        head = _head_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise FrameError("too_large", f"A frame holds at most {frame_bytes} bytes.") from error
    if head.op not in OPS:
        raise FrameError("unknown_op", "There is no such op.", head.id)
    if head.op != _UPLOAD:
        raise FrameError("too_large", f"A frame of this op holds at most {frame_bytes} bytes.", head.id)


def _diagnose(data: bytes, error: Exception) -> FrameError:
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        return FrameError("bad_frame", "The frame is not JSON that can be read.", malformed=True)
    if not isinstance(value, dict):
        return FrameError("bad_frame", "The frame is not a JSON object.", malformed=True)
    return _diagnose_fields(value, error)


def _diagnose_fields(value: dict[str, Any], error: Exception) -> FrameError:
    op, frame_id = value.get("op"), value.get("id")
    if frame_id is not None and not _is_text(frame_id):
        return FrameError("bad_frame", "`id` is not a string.", malformed=True)
    if not _is_text(op):
        return FrameError("bad_frame", "`op` is not a string.", frame_id, malformed=True)
    if op not in OPS:
        return FrameError("unknown_op", "There is no such op.", frame_id)
    if isinstance(error, msgspec.ValidationError):
        return FrameError("invalid", _readable(str(error)), frame_id)
    return FrameError("invalid", "A field holds text or a number that cannot be read.", frame_id)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _readable(message: str) -> str:
    """`Expected `int` >= 1 - at `$.seq`` → `seq: Expected `int` >= 1`."""
    what, _, where = message.partition(" - at `$.")
    return f"{where.rstrip('`')}: {what}" if where else what
