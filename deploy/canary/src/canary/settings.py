"""What the canary reads from its environment."""

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from shared.settings import CommaList, ProcessSettings


class CanarySettings(ProcessSettings):
    service: ClassVar[str] = "canary"

    canary_password: SecretStr
    """Of both accounts, which are made where they are missing."""
    canary_name: str = Field(default="canary", pattern=r"^[a-z][a-z0-9_]{2,17}$")
    """The accounts are `<name>_a` and `<name>_b`."""
    canary_target: str = "http://127.0.0.1:8080"
    """The public address."""
    chat_gateway_url: CommaList = Field(default=["http://127.0.0.1:8005"])
    """Where the gateways themselves are, to know how many there are; no message goes that way."""
    canary_seconds: float = Field(default=5, ge=0.1, le=300)
    """Between two messages through one gateway."""
    canary_patience_s: float = Field(default=10, ge=0.5, le=120)
    """What takes longer is unacknowledged, or late."""
    canary_gateways: int = Field(default=8, ge=1, le=9)
    """At most so many are watched: each takes two sockets, one of either account, which may have 20."""

    @field_validator("canary_target", mode="after")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")
