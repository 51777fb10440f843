"""The settings of rooms, in addition to those of every service."""

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from shared.settings import SecretList, Settings


class RoomsSettings(Settings):
    service: ClassVar[str] = "rooms"

    writers: int = Field(default=4, ge=1, le=64)
    """Concurrent transactions of commands. SQLite has one."""
    publish_queue: int = Field(default=20_000, ge=1)
    """Events, read cursors and notifications that may wait for Redis. Further events are published from the tables."""
    sweep_s: float = Field(default=3, gt=0)
    """Pause between two sweeps, which publish what is missing in the streams. The replicas share them."""
    event_days: float = Field(default=30, gt=0)
    """Days for which events are kept, so that clients can resume. Messages are kept permanently."""
    message_digest_keys: SecretList = Field(default=[])
    """Keys of the digests of edited and deleted messages. The first one seals, all of them verify."""
    trim_s: float = Field(default=600, gt=0)
    """Pause between two deletions of old events."""

    @field_validator("message_digest_keys", mode="after")
    @classmethod
    def _of_32(cls, keys: list[SecretStr]) -> list[SecretStr]:
        if any(len(key.get_secret_value()) < 32 for key in keys):
            raise ValueError("give at least 32 random characters for each key")
        return keys

    @property
    def event_lifetime_ms(self) -> int:
        return int(self.event_days * 24 * 3600 * 1000)
