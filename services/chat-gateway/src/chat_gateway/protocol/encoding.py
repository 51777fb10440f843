"""Encoding of frames that are not encoded by rooms: replies, errors, and events that the gateway creates."""

import msgspec

from chat_gateway.protocol.frames import ErrorFrame
from shared.roomlog.frames import text_frame

encode_payload = msgspec.json.Encoder().encode
"""Return the text of a frame, without the WebSocket frame around it."""


def encode(frame: msgspec.Struct) -> bytes:
    """Return a WebSocket frame."""
    return text_frame(encode_payload(frame))


def error_payload(frame_id: str | None, code: str, detail: str, *, retry_after: int | None = None) -> bytes:
    """Return the text of an error frame. `retry_after` is in seconds."""
    return encode_payload(ErrorFrame(id=frame_id, code=code, detail=detail, retry_after=retry_after))
