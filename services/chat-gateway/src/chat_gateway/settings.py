"""The settings of the gateway, in addition to those of every service."""

from typing import ClassVar

from pydantic import Field

from chat_gateway.protocol.limits import Limits
from shared.settings import Settings


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
