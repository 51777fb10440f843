"""What media reads from its environment, beside what every service does."""

from typing import ClassVar

from pydantic import Field, SecretStr

from shared.service.settings import Settings


class MediaSettings(Settings):
    service: ClassVar[str] = "media"

    aws_access_key: str | None = None
    """Without a key the machine's own role signs, as on EC2."""
    aws_secret_access_key: SecretStr = SecretStr("")
    aws_region: str = "us-east-1"
    aws_storage_bucket_name: str = Field(default="webchat-media", min_length=3, max_length=63)
    s3_endpoint_url: str | None = None
    """An S3 of one's own; AWS without it."""
