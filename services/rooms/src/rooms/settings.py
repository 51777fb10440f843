"""What rooms reads from its environment, beside what every service does."""

from typing import ClassVar

from pydantic import Field

from shared.settings import Settings


class RoomsSettings(Settings):
    service: ClassVar[str] = "rooms"

    writers: int = Field(default=4, ge=1, le=64)
    """Transactions of commands at the same time; SQLite has one."""
    publish_queue: int = Field(default=20_000, ge=1)
    """Events, cursors and hints that may wait for Redis; what is more is read from the tables when it is back."""
    sweep_s: float = Field(default=3, gt=0)
    event_days: float = Field(default=30, gt=0)
    """How long events are kept to resume from. Messages stay."""
    trim_s: float = Field(default=600, gt=0)
