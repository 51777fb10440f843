"""Effects: what a connection wants to be done."""

from typing import TypeAlias

import msgspec

from chat_gateway.protocol.frames import AnyFrame, Hello, MessageSend
from shared.errors import ErrorCode


class Reply(msgspec.Struct, frozen=True):
    """Send an error with this code. `payload` is the text of the frame."""

    payload: bytes
    code: ErrorCode


class Start(msgspec.Struct, frozen=True):
    """Check the session, send `ready`, send what the client missed, and go live."""

    hello: Hello


class Perform(msgspec.Struct, frozen=True):
    """Perform the frame, then call `Connection.answered`."""

    frame: AnyFrame


class Attach(msgspec.Struct, frozen=True):
    """Look up the attachments of the message, submit it, and then run the effects of `Connection.resume`."""

    frame: MessageSend


class Close(msgspec.Struct, frozen=True):
    """Close the WebSocket."""

    code: int
    reason: str


Effect: TypeAlias = Reply | Start | Perform | Attach | Close
