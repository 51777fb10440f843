"""Settings of social: those of every service."""

from typing import ClassVar

from shared.settings import Settings


class SocialSettings(Settings):
    service: ClassVar[str] = "social"
