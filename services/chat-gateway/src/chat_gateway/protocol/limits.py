"""The protocol's limits, as one value that a connection is made with. Sizes hold always; rates can be switched off."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    rates: bool = True
    frames_per_second: float = 20
    burst: float = 60
    limited_seconds: float = 10
    """Rate limited for so long: closed with 4529."""
    unanswered: int = 64
    frame_bytes: int = 64 * 1024
    malformed_per_minute: int = 32
    hello_seconds: float = 10
    heartbeat_seconds: float = 25
    sockets_per_user: int = 20
    drain_seconds: float = 1.5
    """Goodbyes of a gateway that stops are spread over this."""
    outbound_bytes: int = 1024 * 1024
    """Live events waiting for a reader; more: closed with 4308."""


MAX_UPLOAD_TEXT = (5 * 1024 * 1024 + 2) // 3 * 4
"""Base64 of 5 MiB."""
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
SUBPROTOCOL = "webchat.v1"
