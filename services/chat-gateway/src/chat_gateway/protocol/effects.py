"""What a connection asks to be done for it."""

from typing import TypeAlias

import msgspec

from chat_gateway.protocol.frames import AnyFrame, Hello


class Reply(msgspec.Struct, frozen=True):
    """Send this text frame's payload as an answer: an error of that code."""

    payload: bytes
    code: str


class Start(msgspec.Struct, frozen=True):
    """The client said hello: check its session, answer `ready`, send what it missed, go live."""

    hello: Hello


class Perform(msgspec.Struct, frozen=True):
    """Do what the frame asks; then tell the connection with `answered`."""

    frame: AnyFrame


class Close(msgspec.Struct, frozen=True):
    code: int
    reason: str


Effect: TypeAlias = Reply | Start | Perform | Close
