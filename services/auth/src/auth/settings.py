"""What auth reads from its environment, beside what every service does."""

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from shared.settings import Settings


class AuthSettings(Settings):
    service: ClassVar[str] = "auth"

    session_secret_key: SecretStr
    """Seals the signing keys in the table. Sessions do not depend on it: after a change new keys are made."""
    session_lifetime_days: int = Field(default=30, ge=1, le=400)
    session_purge_s: float = Field(default=3600, gt=0)
    """Between two looks for expired sessions, whose rows are removed."""
    signing_key_days: float = Field(default=30, gt=0)
    signing_key_refresh_s: float = Field(default=60, gt=0, le=60)
    """A key signs two minutes after it was made: by then every replica has read it."""

    social_service_secret: SecretStr
    rooms_service_secret: SecretStr
    media_service_secret: SecretStr
    chat_gateway_service_secret: SecretStr

    argon2_time_cost: int = Field(default=2, ge=1)
    argon2_memory_kib: int = Field(default=19456, ge=8)
    argon2_parallelism: int = Field(default=1, ge=1)
    hash_workers: int = Field(default=2, ge=1, le=64)
    """Passwords hashed at the same time; each takes `argon2_memory_kib` and one core."""
    hash_queue: int = Field(default=64, ge=0)
    """Requests that may wait for one of them; the next is told to come back."""
    hash_patience_s: float = Field(default=5, gt=0)

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

    @property
    def session_lifetime_ms(self) -> int:
        return self.session_lifetime_days * 24 * 3600 * 1000

    def secret_of(self, service: str) -> str:
        """The secret with which `service` asks for tokens; "" for a name that is none."""
        secrets = {
            "auth": self.service_secret,
            "social": self.social_service_secret,
            "rooms": self.rooms_service_secret,
            "media": self.media_service_secret,
            "chat-gateway": self.chat_gateway_service_secret,
        }
        return secrets[service].get_secret_value() if service in secrets else ""
