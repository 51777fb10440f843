"""The canary's settings, from the environment."""

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from shared.settings import CommaList, ProcessSettings


class CanarySettings(ProcessSettings):
    service: ClassVar[str] = "canary"

    canary_password: SecretStr
    """The password of both accounts. The canary creates them if they do not exist."""
    canary_name: str = Field(default="canary", pattern=r"^[a-z][a-z0-9_]{2,17}$")
    """The accounts are `<name>_a` and `<name>_b`."""
    canary_target: str = "http://127.0.0.1:8080"
    """The public address."""
    chat_gateway_url: CommaList = Field(default=["http://127.0.0.1:8005"])
    """The internal addresses of the gateways, only to discover them; messages use the public address."""
    canary_seconds: float = Field(default=5, ge=0.1, le=300)
    """Seconds between two messages through one gateway."""
    canary_patience_s: float = Field(default=10, ge=0.5, le=120)
    """The time after which a message counts as unacknowledged or late."""
    canary_gateways: int = Field(default=8, ge=1, le=9)
    """The maximum number of watched gateways. Each takes a socket of both accounts, and an account may have 20."""

    @field_validator("canary_target", mode="after")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")
