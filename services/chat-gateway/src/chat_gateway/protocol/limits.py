"""The limits of the protocol. Limits of sizes always apply; limits of rates can be switched off."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    rates: bool = True
    """Limit rates; sizes are always limited."""
    frames_per_second: float = 20
    burst: float = 60
    limited_seconds: float = 10
    """A connection that exceeds the rate for this long is closed with 4529."""
    excess_frames: float = 120
    """Frames beyond the rate that get an error. They refill like the rate; beyond them, the close code is 1008."""
    control_frames_per_second: float = 10
    control_burst: float = 60
    """Pings and pongs. A client that sends more is closed with 1008, as for the two limits below."""
    fragments_per_second: float = 1024
    fragment_burst: float = 4096
    """Data frames that do not complete their message: 8 MiB in fragments of 2 KiB."""
    bytes_per_second: float = 4 * 1024 * 1024
    byte_burst: float = 256 * 1024 * 1024
    """All uploads of a minute that are allowed, at the speed of the network."""
    unanswered: int = 64
    """The server does not read from a connection with this many unanswered frames."""
    frame_bytes: int = 64 * 1024
    """A larger frame is rejected as `too_large`, unless it is an upload."""
    malformed_per_minute: int = 32
    hello_seconds: float = 10
    heartbeat_seconds: float = 25
    sockets_per_user: int = 20
    drain_seconds: float = 1.5
    """A stopping gateway closes its connections over this period."""
    outbound_bytes: int = 1024 * 1024
    """A connection with more live events than this waiting to be written is closed with 4308."""


MAX_UPLOAD_BASE64_LENGTH = (5 * 1024 * 1024 + 2) // 3 * 4
"""The length of 5 MiB in base64."""
MAX_WEBSOCKET_MESSAGE_BYTES = 8 * 1024 * 1024
"""A larger WebSocket message closes its connection with 1009. An upload fits into it."""
SUBPROTOCOL = "webchat.v1"
