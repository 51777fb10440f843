"""The settings of the gateway, in addition to those of every service."""

from typing import ClassVar

import msgspec
from pydantic import Field

from chat_gateway.protocol.limits import Limits
from shared.settings import Settings


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals and timeouts of background work, in seconds. Tests set them to milliseconds."""

    presence_refresh: float = 20
    presence_expiry: float = 55
    """Users of a crashed gateway appear offline after this time, at the latest at the next poll."""
    presence_poll: float = 10
    head_check: float = 30
    """Every room is compared with its stream within this time."""
    housekeeping: float = 1
    """Pause between two slices of the head check, and between two rounds of unsubscribing."""
    ping: float = 5
    """A silent subscription is pinged after this time, and dropped if it stays silent as long again."""
    user_check: float = 30
    cursor_flush: float = 0.25
    start: float = 15
    """Deadline for `ready`; a connection that misses it is closed and should reconnect."""
    command_budget: float = 3
    """Time per attempt, from its arrival, within which rooms may begin to commit. The request timeout is longer."""
    command_request: float = 4
    command_give_up: float = 10
    close: float = 5
    """Time that a client has to close the connection after a close frame."""


DEFAULT_TIMINGS = Timings()


class GatewaySettings(Settings):
    service: ClassVar[str] = "chat-gateway"

    lanes: int = Field(default=16, ge=1, le=256)
    """Number of command queues, the same on every gateway."""
    lane_commands: int = Field(default=10_000, ge=64, le=1_000_000)
    """Maximum number of commands in each command queue. Further commands are rejected."""
    outbound_bytes: int = Field(default=1024 * 1024, ge=64 * 1024)
    heartbeat_seconds: int = Field(default=25, ge=1, le=300)
    sockets_per_user: int = Field(default=20, ge=1)
    drain_seconds: float = Field(default=1.5, ge=0, le=120)
    """A stopping gateway closes its connections over this period."""

    @property
    def limits(self) -> Limits:
        return Limits(
            rates=self.rate_limits,
            outbound_bytes=self.outbound_bytes,
            heartbeat_seconds=self.heartbeat_seconds,
            sockets_per_user=self.sockets_per_user,
            drain_seconds=self.drain_seconds,
        )
