"""Settings of auth, in addition to those of every service."""

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from shared.budgets import HASH_WAIT_S
from shared.settings import CommaList, Settings


class AuthSettings(Settings):
    service: ClassVar[str] = "auth"

    session_secret_key: SecretStr
    """Encrypts the signing keys in the table. After a change new keys are made; sessions stay valid."""
    session_lifetime_days: int = Field(default=30, ge=1, le=400)
    session_max_days: int = Field(default=180, ge=1, le=3650)
    """Days after which a session ends although it is used."""
    session_purge_s: float = Field(default=3600, gt=0)
    """Pause between two deletions of expired sessions."""
    signing_key_days: float = Field(default=30, gt=0)
    signing_key_refresh_s: float = Field(default=60, gt=0, le=60)
    """Pause between two reads of the keys. A key signs two minutes after it was made, when all replicas know it."""

    social_service_secret: SecretStr
    rooms_service_secret: SecretStr
    media_service_secret: SecretStr
    chat_gateway_service_secret: SecretStr

    host_cookie: bool = True
    """Under TLS, name the session cookie `__Host-webchat_session`. Off while replicas without that name may answer."""

    operators: CommaList = Field(default=[])
    """WebChat IDs of the users who may see /ops."""

    argon2_time_cost: int = Field(default=2, ge=1)
    argon2_memory_kib: int = Field(default=19456, ge=8)
    argon2_parallelism: int = Field(default=1, ge=1)
    hash_workers: int = Field(default=2, ge=1, le=64)
    """Passwords hashed at the same time. Each takes `argon2_memory_kib` and one core."""
    hash_queue: int = Field(default=64, ge=0)
    """Requests that may wait for a worker. Further ones get 503."""
    hash_patience_s: float = Field(default=HASH_WAIT_S, gt=0)

    @field_validator(
        "session_secret_key",
        "social_service_secret",
        "rooms_service_secret",
        "media_service_secret",
        "chat_gateway_service_secret",
    )
    @classmethod
    def _of_32(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 32:
            raise ValueError("give at least 32 random characters")
        return value

    def secret_of(self, service: str) -> str:
        """Return the secret with which `service` requests tokens, or "" for an unknown service."""
        secrets = {
            "auth": self.service_secret,
            "social": self.social_service_secret,
            "rooms": self.rooms_service_secret,
            "media": self.media_service_secret,
            "chat-gateway": self.chat_gateway_service_secret,
        }
        return secrets[service].get_secret_value() if service in secrets else ""
