"""The settings of the process, in addition to those of every process with an application."""

from typing import ClassVar

from pydantic import Field

from shared.settings import CommaList, WebSettings


class OpsSettings(WebSettings):
    service: ClassVar[str] = "ops"

    chat_gateway_url: CommaList = Field(default=["http://127.0.0.1:8005"])
    """URLs of all gateways, or one name for all."""
    canary_url: str | None = None

    @property
    def replica_urls(self) -> dict[str, list[str]]:
        """The URLs of all services that /ops shows. The canary comes first, if there is one."""
        return {
            **({"canary": [self.canary_url]} if self.canary_url else {}),
            "chat-gateway": self.chat_gateway_url,
            "rooms": [self.rooms_url],
            "auth": [self.auth_url],
            "social": [self.social_url],
            "media": [self.media_url],
        }
