"""What social reads from its environment: what every service does."""

from typing import ClassVar

from shared.settings import Settings


class SocialSettings(Settings):
    service: ClassVar[str] = "social"
