"""What media reads from its environment, beside what every service does."""

from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from shared.settings import Settings

MIB = 1024 * 1024


class MediaSettings(Settings):
    service: ClassVar[str] = "media"

    aws_access_key: str | None = None
    """Without a key the machine's own role signs, as on EC2."""
    aws_secret_access_key: SecretStr = SecretStr("")
    aws_region: str = "us-east-1"
    aws_storage_bucket_name: str = Field(default="webchat-media", min_length=3, max_length=63)
    s3_endpoint_url: str | None = None
    """An S3 of one's own; AWS without it."""
    s3_public_url: str | None = None
    """The same S3 as browsers reach it. Without it media hands the bytes on itself."""
    aws_cdn_url: str | None = None
    """CloudFront before the bucket: for everything with a signing key, for avatars alone without."""
    cdn_key_id: str | None = None
    cdn_private_key: SecretStr | None = None
    """RSA, PEM; its lines may be joined by `\\n`."""

    max_upload_bytes: int = Field(default=50 * MIB, ge=1)
    max_base64_bytes: int = Field(default=5 * MIB, ge=1)
    """Decoded, in JSON."""
    uploads_at_once: int = Field(default=16, ge=1)
    """Each may have a file of `max_upload_bytes` on disk; what is more is told to come back."""
    upload_deadline_s: float = Field(default=20, gt=0)
    """From the row that announces the object to the one that says it is there."""
    wait_for_twin_s: float = Field(default=5, ge=0)
    """How long a repeat waits for the first of its kind, which is under way."""
    s3_uploads_at_once: int = Field(default=8, ge=1)
    s3_connections: int = Field(default=64, ge=1)
    s3_connect_timeout_s: float = Field(default=2, gt=0)
    s3_read_timeout_s: float = Field(default=10, gt=0)
    s3_part_bytes: int = Field(default=8 * MIB, ge=5 * MIB)

    pictures_at_once: int = Field(default=2, ge=1)
    picture_timeout_s: float = Field(default=15, gt=0)
    picture_memory_mb: int = Field(default=1536, ge=256)
    max_picture_pixels: int = Field(default=50_000_000, ge=1)
    max_picture_frames: int = Field(default=500, ge=1)
    max_animation_pixels: int = Field(default=100_000_000, ge=1)
    """Of all frames together."""

    link_seconds: int = Field(default=60, ge=1, le=60)
    media_sweep_s: float = Field(default=30, gt=0)
    straggler_s: float = Field(default=5, ge=0)
    """After the deadline of an upload: what was on its way to the bucket then has arrived."""
    orphan_s: float = Field(default=900, gt=0)
    """An object of this age without a row is nobody's. Longer than any upload takes."""
    media_sweep_batch: int = Field(default=200, ge=1, le=1000)

    @model_validator(mode="after")
    def _whole_key(self) -> Self:
        if (self.cdn_key_id is None) != (self.cdn_private_key is None):
            raise ValueError("CDN_KEY_ID and CDN_PRIVATE_KEY: give both or neither")
        return self
